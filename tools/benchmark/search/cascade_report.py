"""The cascade's measurements as a page and as a picture: speed against agreement with the exact result."""

from __future__ import annotations

import os

from inflate_shrink.atomic import atomic_path
from inflate_shrink.formatting import markdown_table

_MARKERS = {
    "centroids": ("s", "#5f5f5f"),
    "vector": ("^", "#0072b2"),
    "fitted": ("o", "#d55e00"),
    "fitted-4-bits": ("v", "#009e73"),
}
_NAMES = {
    "centroids": "centroids",
    "vector": "vector of F",
    "fitted": "fitted vector",
    "fitted-4-bits": "fitted vector, 4 bits",
}
_BUDGETS = ("*", "#cc79a7")  # what the index chooses
# Each stage's on the side where the other's line is not.
_LABELS = {
    "centroids": ((-4, -4), "right", "top"),
    "vector": ((-4, -4), "right", "top"),
    "fitted": ((5, 1), "left", "bottom"),
}


def cascade_markdown(result: dict, command: str) -> str:
    """Write a page with the command, where and when, and all that was measured."""
    found, exact, precision = result["environment"], result["exact"], result["precision"]
    lines = [
        "# A cascade on real photos", "", f"    {command}", "",
        f"{found['date'][:10]}, seed {result['seed']}, {found['processor']}, {result['threads']} threads, "
        f"load {found['load']:g} of other work before.",
        f"{result['photos']:,} photos of {result['data']}{_distractors(result)};",
        f"{result['queries']} captions of its split {result['split']}; "
        f"model {result['model']['name']} with {result['model']['fragments']} fragments of"
        f" {result['dim']} dimensions in int8, first stage by {result['first']}.",
        "From the query's fragments to the names of the best ten; the encoding of the query is not in it.", "",
        f"Exact: {exact['ms']:.2f} ms a query (median), R@1 {exact['r1']:.1f}, R@10 {exact['r10']:.1f}.",
        f"int8's best {precision['k']} are fp32's in {precision['agreement']:.4f} of places, "
        f"and after scoring int8's best {precision['rescored']} in fp32 in"
        f" {precision['rescored_agreement']:.4f}.", "",
    ]  # fmt: skip
    if result["images"] > result["photos"]:
        lines += [
            "A collage has half of the regions of two photos, so a caption of one of them fits it nearly as well; "
            "it counts as wrong all the same. So recall is",
            "low, of exact search too, and a first stage that leaves collages out may be above it. Agreement with the "
            "exact ten is what to read here; `--images 0`",
            "measures recall among the photos alone.", "",
        ]  # fmt: skip
    for stage, rows in result["stages"].items():
        header = ("candidates", "ms", "times faster", "of the exact ten", "R@1", "R@10")
        whole = result["recall"][stage]
        cells = [("all: exact", "", "", "", f"{whole['r1']:.1f}", f"{whole['r10']:.1f}")]
        cells += [
            (
                f"{r['candidates']:,}",
                f"{r['ms']:.3f}",
                f"{r['speedup']:.1f}",
                f"{r['agreement']:.4f}",
                f"{r['r1']:.1f}",
                f"{r['r10']:.1f}",
            )
            for r in rows
        ]
        lines += [f"## First stage by {_NAMES[stage]}", "", markdown_table(header, cells), ""]
        lines += _fitted_markdown(result, stage) if stage in result.get("budgets", {}) else []
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


def _fitted_markdown(result: dict, stage: str) -> list[str]:
    """Write what a fitted stage costs, the budgets that it chooses, and where the time of a query goes."""
    built, split = result["build"][stage], result["times"][stage]
    header = ("asked for", "candidates", "scored exactly", "ms", "times faster", "of the exact ten", "R@1", "R@10")
    cells = [
        (
            f"{r['recall']:g}", f"{r['candidates']:,}", f"{r['scored']:.0f}", f"{r['ms']:.3f}", f"{r['speedup']:.1f}",
            f"{r['agreement']:.4f}", f"{r['r1']:.1f}", f"{r['r10']:.1f}",
        )
        for r in result["budgets"][stage]
    ]  # fmt: skip
    share = result["bytes"][stage] / result["bytes"]["centroids"]
    return [
        f"Correlation {built['correlation']:.4f} with the exact scores; fitted and measured in {built['seconds']:.0f} s, fragments "
        f"given; {result['bytes'][stage]:,.0f} bytes an image, {share:.3f} times those of the index with centroids.", "",
        "By the budgets that the index measured on captions of the training split:", "",
        markdown_table(header, cells), "",
        f"Of a query at recall 0.99 the encoder takes {split['encode']:.2f} ms, and then: the first stage, with the query's vector, "
        f"{split['first']:.3f} ms; {split['scored']:.0f} exact scores, {split['exact']:.3f} ms; Python and names, {split['python']:.3f} ms.", "",
    ]  # fmt: skip


def _distractors(result: dict) -> str:
    made = result["images"] - result["photos"]
    if made:
        return f" and {made:,} collages of two of them each, as distractors"
    return ", those of other splits as distractors"


def draw_cascade(result: dict, path: str | os.PathLike) -> None:
    """Draw speed against agreement for each first stage, as a picture of the type that the name ends with."""
    from matplotlib.figure import Figure  # takes a second
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(6.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for stage, rows in result["stages"].items():
        marker, colour = _MARKERS[stage]
        axes.plot(
            [row["speedup"] for row in rows],
            [row["agreement"] for row in rows],
            marker=marker,
            color=colour,
            label=_NAMES[stage],
        )
        if stage in result.get("budgets", {}) and stage == "fitted":
            chosen = [(row["speedup"], row["agreement"]) for row in result["budgets"][stage]]
            axes.plot(
                *zip(*chosen), marker=_BUDGETS[0], color=_BUDGETS[1], markersize=8, label="fitted, budgets measured"
            )
        if stage not in _LABELS:
            continue
        offset, horizontal, vertical = _LABELS[stage]
        for row in rows:
            point, text = (row["speedup"], row["agreement"]), f"{row['candidates']:,}"
            axes.annotate(
                text, point, offset, textcoords="offset points", ha=horizontal, va=vertical, fontsize=7, color=colour
            )
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
