"""The cascade's measurements as a page and as a picture: speed against agreement with the exact result."""

from __future__ import annotations

import os

from inflate_shrink.atomic import atomic_path
from inflate_shrink.formatting import markdown_table

_NAMES = {
    "centroids": "centroids",
    "vector": "vector of F",
    "fitted": "fitted vector",
    "fitted-4-bits": "fitted vector, 4 bits",
    "pooled": "pooled fragments",
    "three": "three stages",
}
_MARKERS = {
    "centroids": ("s", "#5f5f5f"),
    "vector": ("^", "#0072b2"),
    "fitted": ("o", "#d55e00"),
    "fitted-4-bits": ("v", "#009e73"),
    "three": ("D", "#e69f00"),
}
# Beside which points of a line numbers stand: where no other line is.
_LABELS = {"centroids": ((-6, 0), "right"), "vector": ((6, 0), "left")}
_MEET = 0.985  # a share that all lines reach
_BUDGETS, _ALONE = ("*", "#cc79a7"), ("x", "#000000")  # what the index chooses; one stage


def cascade_markdown(result: dict, command: str) -> str:
    """Write a page with the command, where and when, and all that was measured."""
    found, exact, precision = result["environment"], result["exact"], result["precision"]
    lines = [
        "# A cascade on real photos", "", f"    {command}", "",
        f"{found['date'][:10]}, seed {result['seed']}, {found['processor']}, {result['threads']} threads, "
        f"load {found['load']:g} of other work before.",
        f"{result['images']:,} images: {result['photos']:,} photos of {result['data']}{_distractors(result)};",
        f"{result['queries']} captions of its split {result['split']}; "
        f"model {result['model']['name']} with {result['model']['fragments']} fragments of"
        f" {result['dim']} dimensions{', to which they were projected, so that all products stay,' * result['projected']} in int8"
        f"{', F ' * bool(result['first'])}{result['first']}.",
        "From the query's fragments to the names of the best ten; the encoding of the query is not in it.", "",
        f"Exact: {exact['ms']:.2f} ms a query (median), R@1 {exact['r1']:.1f}, R@10 {exact['r10']:.1f}.",
    ]  # fmt: skip
    if precision:
        lines += [
            f"int8's best {precision['k']} are fp32's in {precision['agreement']:.4f} of places, "
            f"and after scoring int8's best {precision['rescored']} in fp32 in {precision['rescored_agreement']:.4f}."
        ]
    lines += [""]
    if result["images"] > result["photos"]:
        lines += [
            "A collage has half of the regions of two photos, so a caption of one of them fits it nearly as well; "
            "it counts as wrong all the same. So recall is",
            "low, of exact search too, and a first stage that leaves collages out may be above it. Agreement with the "
            "exact ten is what to read here; `--images 0`",
            "measures recall among the photos alone.", "",
        ]  # fmt: skip
    lines += _quality_markdown(result["quality"]) if result["quality"] else []
    for stage, rows in result["stages"].items():
        lines += [f"## First stage by {_NAMES[stage]}" if stage != "three" else "## Three stages", ""]
        lines += _fitted_markdown(result, stage) if stage in result["budgets"] else []
        header, cells = ("candidates", *_HEADER), [(_candidates(row), *_cells(row)) for row in rows]
        if stage in result["alone"]:
            cells.insert(0, ("none: the stage alone", *_cells(result["alone"][stage])))
        lines += [markdown_table(header, cells), "", f"{result['bytes'][stage]:,.0f} bytes an image.", ""]
    lines += _throughput_markdown(result["throughput"]) if result["throughput"] else []
    lines += _mixing_markdown(result["mixing"], result["split"]) if result["mixing"] else []
    cells = [(f"{r['queries']:,}", f"{r['own_mib']:.0f}", f"{r['mapped_mib']:.0f}") for r in result["memory"]]
    lines += [
        "## Memory of a process that searches exactly",
        "",
        markdown_table(("queries", "its own, MiB", "of mapped files, MiB"), cells),
        "",
        "Mapped files are the index itself and the libraries; the system takes their pages back when it needs them.",
        "",
    ]
    return "\n".join(lines)


_HEADER = ("ms", "times faster", "of the exact ten", "R@1", "R@10")


def _cells(row: dict) -> tuple[str, ...]:
    shares = f"{row['agreement']:.4f}", f"{row['r1']:.1f}", f"{row['r10']:.1f}"
    return f"{row['ms']:.3f}", f"{row['speedup']:.1f}", *shares


def _candidates(row: dict) -> str:
    return f"{row['pooled']:,}, then {row['candidates']:,}" if "pooled" in row else f"{row['candidates']:,}"


def _quality_markdown(quality: dict) -> list[str]:
    """Write how near the stages come to the exact scores."""
    cells = [(_NAMES[name], f"{of['rho']:.4f}", f"{of['candidates']:,}") for name, of in quality["stages"].items()]
    pairs = [
        f"{_NAMES[pair['of'][0]]} and {_NAMES[pair['of'][1]]} {pair['correlation']:.2f}" for pair in quality["errors"]
    ]
    lines = [
        "## How near a stage comes", "",
        f"Correlation with the exact scores over images, mean of {quality['queries']} queries, and how many of a stage's best hold 0.99 "
        "of the exact ten.", "",
        markdown_table(("stage", "correlation", "candidates"), cells), "",
    ]  # fmt: skip
    if pairs:
        lines += [f"What stages are off by is correlated, too: {'; '.join(pairs)}.", ""]
    if quality["tried"]:
        cells = [
            (of["what"], f"{of['rho']:.4f}", f"{of['candidates'] or '':,}" if of["candidates"] else "")
            for of in quality["tried"]
        ]
        lines += [
            "Fitted vectors of other kinds:",
            "",
            markdown_table(("fitted vector", "correlation", "candidates"), cells),
            "",
        ]
    return lines


def _fitted_markdown(result: dict, stage: str) -> list[str]:
    """Write what a fitted stage costs, the budgets that it chooses, and where the time of a query goes."""
    built, split = result["build"][stage], result["times"][stage]
    cells = [
        (f"{row['recall']:g}", f"{row['candidates']:,}", f"{row['scored']:.0f}", *_cells(row))
        for row in result["budgets"][stage]
    ]
    return [
        f"Fitted, made and measured in {built['seconds']:.0f} s, fragments given. By the budgets that the index measured on "
        "captions that nothing was learned of:", "",
        markdown_table(("asked for", "candidates", "scored exactly", *_HEADER), cells), "",
        f"Of a query at recall 0.99 the encoder takes {split['encode']:.2f} ms, and then: the first stage, with the query's vector, "
        f"{split['first']:.3f} ms; {split['scored']:.0f} exact scores, {split['exact']:.3f} ms; the rest, Python and names, "
        f"{split['fixed']:.3f} ms.", "",
    ]  # fmt: skip


def _throughput_markdown(rows: list[dict]) -> list[str]:
    cells = [
        (row["what"], f"{row['in_turn']:,.0f}", f"{row['at_once']:,.0f}", f"{100 * row['share']:.0f} %", "yes" if row["same"] else "NO")
        for row in rows
    ]  # fmt: skip
    header = (
        "search",
        "in turn, queries a second",
        f"by {rows[0]['callers']} threads at once",
        "share",
        "same results",
    )
    return ["## Several threads, one searcher", "", markdown_table(header, cells), ""]


def _mixing_markdown(mixing: dict, split: str) -> list[str]:
    cells = [
        (f"{weight:g}", *(f"{value:.1f}" for value in (*training, *own)))
        for weight, training, own in zip(mixing["weights"], mixing["training"], mixing["split"])
    ]
    header = ("weight", *(f"{side}, R@{k}" for side in ("training", split) for k in (1, 5, 10)))
    return [
        "## A final score mixed of late interaction and F", "",
        f"Texts among the photos of a split; F's score has a weight, when both spread alike. The training split would choose {mixing['fitted']:g}.", "",
        markdown_table(header, cells), "",
    ]  # fmt: skip


def _distractors(result: dict) -> str:
    collages, copies = result["encoded"] - result["photos"], result["images"] - result["encoded"]
    parts = [f"{collages:,} collages of two of them each, as distractors"] * bool(collages)
    noise = f"a random vector {result['jitter']:g} times as long was added to each fragment"
    parts += [f"{copies:,} jittered copies of both ({noise})"] * bool(copies)
    return "".join(f", {part}" for part in parts) or ", those of other splits as distractors"


def draw_cascade(result: dict, path: str | os.PathLike) -> None:
    """Draw speed against agreement for each cascade, as a picture of the type that the name ends with."""
    from matplotlib.figure import Figure  # takes a second
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([1], [1], marker=_ALONE[0], color=_ALONE[1], linestyle="none", label="one stage")
    for alone in result["alone"].values():
        axes.plot([alone["speedup"]], [alone["agreement"]], marker=_ALONE[0], color=_ALONE[1])
    for stage, rows in result["stages"].items():
        marker, colour = _MARKERS[stage]
        points = [(row["speedup"], row["agreement"]) for row in rows]
        axes.plot(*zip(*points), marker=marker, color=colour, label=_NAMES[stage], markersize=5)
        if stage in _LABELS:
            _annotate(axes, points, [f"{row['candidates']:,}" for row in rows], colour, *_LABELS[stage])
    if "fitted" in result["budgets"] and result["budgets"]["fitted"]:
        chosen = [(row["speedup"], row["agreement"]) for row in result["budgets"]["fitted"]]
        axes.plot(*zip(*chosen), marker=_BUDGETS[0], color=_BUDGETS[1], markersize=8, label="fitted vector, --recall")
    axes.set_xscale("log")  # the slow half of the points would lie on each other
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.12, y=0.08)
    axes.set_xlabel(f"times faster than exact int8 ({result['exact']['ms']:.1f} ms for {result['images']:,} images)")
    axes.set_ylabel("share of the exact ten that is found")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        frameon=False, loc="lower left", title="numbers: candidates", alignment="left", fontsize=8, title_fontsize=8
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, format=str(path).rpartition(".")[2])


def _annotate(axes, points: list[tuple[float, float]], texts: list[str], colour: str, offset: tuple, side: str) -> None:
    """Write a text beside each point of a line, but those at the top, where all lines meet."""
    for point, text in zip(points, texts):
        if point[1] < _MEET:
            axes.annotate(
                text, point, offset, textcoords="offset points", ha=side, va="center", fontsize=7, color=colour
            )
