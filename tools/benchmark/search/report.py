"""What :func:`.measure.measure_search` found, as text and as Markdown (docs/results/search.md)."""

from __future__ import annotations

from typing import Callable

from inflate_shrink.formatting import markdown_table

from ..environment import describe_environment
from ..table import Row, format_section
from .limit import WITHOUT_LIMIT

_SHORT = {"float32": "fp32", "bfloat16": "bf16", "int8": "int8"}


def describe(result: dict) -> str:
    """Say where it was measured, and how many threads everyone had."""
    return (
        f"{describe_environment(result['environment'])}\n{result['threads']} threads for every contestant; "
        f"kernel paths {', '.join(result['paths'])}"
    )


def section_text(name: str, result: dict) -> str:
    """Write one section as text."""
    if result[name] is None:
        return f"{name}: not measured; --sections {name} measures it"
    return _TEXTS[name](result)


def search_markdown(result: dict, command: str) -> str:
    """Write the whole result as a page: the command, where and when, and a table for each section that was measured."""
    found = result["environment"]
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items() if number)
    lines = [
        "# Speed of search", "", f"    {command}", "",
        f"{found['date'][:10]}, seed {result['seed']}, {found['processor']}, "
        f"{result['threads']} threads for every contestant,",
        f"load {found['load']:g} of other work before; {versions}. Drawn data.", "",
    ]  # fmt: skip
    for name, table in _TABLES.items():
        if result[name]:
            lines += [*table(result), ""]
    return "\n".join(lines)


def verdict(met: bool | None) -> str:
    """Say whether a target is met; "" where there is none."""
    return "" if met is None else "met" if met else "missed"


def _size(entry: dict, unit: str = "images") -> str:
    wanted = entry[f"{unit}_wanted"]
    short = f" (memory is short for {wanted:,})" if wanted > entry[unit] else ""
    return f"{entry[unit]:,} {unit}{short}"


def _limit_text(result: dict) -> str:
    rows = []
    for entry in result["limit"]:
        unit = f"ms (median {entry['median_ms']:.1f}), {_size(entry)}"
        rows.append(Row(f"{_SHORT[entry['precision']]} {entry['path']}, d = {entry['dim']}", entry["ms"], unit))
        if entry["limit"]:
            target = f"; target {100 * entry['target']:.0f}: {verdict(entry['met'])}" if entry["target"] else ""
            unit = f"% of {entry['limit'] / 1e9:.0f} Gop/s{target}"
            rows.append(Row("  share of the arithmetic limit", 100 * entry["share"], unit))
    paper = result["paper"]
    if paper:
        unit = f"ms; the paper's V100 {paper['paper_ms']:g}, target {paper['target_ms']:.1f}: {verdict(paper['met'])}"
        rows.append(Row("exact int8 search of 100,000 images", paper["ms"], unit))
    return format_section("limit: one query of 32 fragments, 32 fragments an image", rows)


def _peers_text(result: dict) -> str:
    sections = []
    for contest in result["peers"]:
        title = "peers: {}, d = {dim}, {}, {fragments} x {fragments}, {threads} threads".format(
            _SHORT[contest["precision"]], _size(contest), **contest
        )
        rows, others = [], []
        for one in contest["contestants"]:
            if one["status"] == "measured":
                ratio = f", {one['ratio']:.2f} times ours" if "ratio" in one else ""
                chunk = f", {one['chunk']} images at a time" if one["chunk"] else ""
                rows.append(Row(_named(one), one["ms"], f"ms (median {one['median_ms']:.1f}){ratio}{chunk}"))
            else:
                others.append(f"  {_named(one):<44} {one['status']}: {one['reason']}")
        if contest["ratio"]:
            unit = f"times (target {contest['target']:g}: {verdict(contest['met'])}); {contest['fastest']}"
            rows.append(Row("fastest exact peer / ours", contest["ratio"], unit))
        sections.append("\n".join([format_section(title, rows), *others]))
    return "\n\n".join(sections)


def _nearest_text(result: dict) -> str:
    sections = []
    for entry in result["nearest"]:
        title = (
            f"nearest: {_size(entry, 'items')} of one vector, d = {entry['dim']}, drawn in clusters; "
            f"faiss {entry['faiss'] or '(not installed)'}"
        )
        measured = [one for one in entry["methods"] if one["status"] == "measured"]
        others = [
            f"  {one['name']:<44} {one['status']}: {one['reason']}"
            for one in entry["methods"]
            if one["status"] != "measured"
        ]
        rows = [
            Row(one["name"], one["ms"], f"ms a query (median {one['median_ms']:.2f}), recall@10 {one['recall']:.3f}")
            for one in measured
        ]
        sections.append("\n".join([format_section(title, rows), *others]))
    return "\n\n".join(sections)


def _batches_text(result: dict) -> str:
    rows = []
    for entry in result["batches"]:
        label = f"{entry['model']}, {entry['images']:,} images, {entry['queries']} at once"
        rows.append(Row(label, entry["per_second"], f"queries a second{_of_limit(entry)}"))
    return format_section("batches: queries of one call, int8", rows)


def _of_limit(entry: dict) -> str:
    return f", {100 * entry['per_second'] / entry['limit']:.1f} % of the arithmetic limit" if entry["limit"] else ""


def _limit_table(result: dict) -> list[str]:
    rows = []
    for entry in result["limit"]:
        limit, share = (f"{entry['limit'] / 1e9:.0f}", f"{100 * entry['share']:.1f} %") if entry["limit"] else ("", "")
        target = f"{100 * entry['target']:.0f} %: {verdict(entry['met'])}" if entry["target"] else ""
        times = f"{entry['ms']:.1f}", f"{entry['median_ms']:.1f}"
        kind = _SHORT[entry["precision"]], f"{entry['dim']}", f"`{entry['path']}`"
        rows.append([*kind, _size(entry), *times, limit, share, target])
    header = ["precision", "d", "path", "collection", "ms", "median", "limit, Gop/s", "share", "target"]
    without = f"{' and '.join(f'`{path}`' for path in WITHOUT_LIMIT)} have no limit that could be measured."
    lines = [
        "## Share of the arithmetic limit",
        "",
        f"One query of 32 fragments, 32 fragments an image. {without}",
        "",
        markdown_table(header, rows),
    ]
    paper = result["paper"]
    if paper:
        against = (
            f"the paper's V100 takes {paper['paper_ms']:g} ms; "
            f"target {paper['target_ms']:.1f} ms: {verdict(paper['met'])}"
        )
        least = _least_ms(result, "int8", 100_000, 768)
        bound = f" At the whole arithmetic limit of this machine it would take {least:.1f} ms." if least else ""
        lines += ["", f"Exact int8 search of 100,000 images: {paper['ms']:.1f} ms; {against}.{bound}"]
    return lines


def _least_ms(result: dict, precision: str, images: int, dim: int, fragments: int = 32) -> float | None:
    """Return the milliseconds that the products alone take at the arithmetic limit; None if that was not measured."""
    limits = [entry["limit"] for entry in result["limit"] if entry["precision"] == precision and entry["limit"]]
    return 1000 * 2 * images * fragments**2 * dim / max(limits) if limits else None


def _peers_table(result: dict) -> list[str]:
    lines = [
        "## Beside exact peers",
        "",
        "In turn, the best of all calls of each; ratios are of the peer's time to ours at the same precision.",
    ]
    for contest in result["peers"]:
        rows = []
        for one in contest["contestants"]:
            if one["status"] == "measured":
                times = [f"{one['ms']:.2f}", f"{one['median_ms']:.2f}"]
            else:
                times = [f"{one['status']}: {one['reason']}", ""]
            ratio = f"{one['ratio']:.2f}" if "ratio" in one else ""
            rows.append([_named(one), *times, ratio, str(one.get("chunk") or "")])
        title = f"{_SHORT[contest['precision']]}, d = {contest['dim']}, {_size(contest)}"
        ratio, target = contest["ratio"], "No peer was measured."
        if ratio:
            target = f"Fastest peer / ours: {ratio:.2f}, target {contest['target']:g}: {verdict(contest['met'])}."
        least = _least_ms(result, contest["precision"], contest["images"], contest["dim"], contest["fragments"])
        if ratio and least:
            fastest = next(one["ms"] for one in contest["contestants"] if one["name"] == contest["fastest"])
            target += (
                f" The arithmetic limit is {least:.2f} ms: "
                f"nothing that makes all products can have a ratio above {fastest / least:.2f}."
            )
        lines += [
            "",
            f"### {title}",
            "",
            markdown_table(["", "ms", "median", "ratio", "images at a time"], rows),
            "",
            target,
        ]
    return lines


def _nearest_table(result: dict) -> list[str]:
    lines = [
        "## One vector an item (F)", "",
        "Exact scans and faiss on drawn vectors in clusters, which is easy for approximate methods.",
        "Each finds the ten best: a time is that of scoring all, which alone is Table 4's ([latency.md](latency.md)), "
        "and of choosing among the scores.",
    ]  # fmt: skip
    for entry in result["nearest"]:
        rows = []
        for one in entry["methods"]:
            if one["status"] == "measured":
                cells = [f"{one['ms']:.2f}", f"{one['median_ms']:.2f}", f"{one['recall']:.3f}"]
            else:
                cells = [f"{one['status']}: {one['reason']}", "", ""]
            rows.append([one["name"], *cells])
        lines += [
            "",
            f"### {_size(entry, 'items')}, d = {entry['dim']}",
            "",
            markdown_table(["", "ms a query", "median", "recall@10"], rows),
        ]
    return lines


def _batches_table(result: dict) -> list[str]:
    rows = []
    for entry in result["batches"]:
        limit = f"{entry['limit']:.1f}" if entry["limit"] else ""
        share = f"{100 * entry['per_second'] / entry['limit']:.1f} %" if entry["limit"] else ""
        cells = [entry["model"], f"{entry['images']:,}", str(entry["queries"]), f"{entry['per_second']:.1f}"]
        rows.append([*cells, limit, share])
    header = ["model", "images", "queries at once", "queries a second", "arithmetic limit", "share"]
    return [
        "## Many queries in one call",
        "",
        "int8; F, B and I have 1, 32 and 96 fragments on each side, of 768 dimensions.",
        "",
        markdown_table(header, rows),
    ]


def _named(one: dict) -> str:
    return f"{one['name']} ({one['version']})" if one.get("version") else one["name"]


_TEXTS: dict[str, Callable[[dict], str]] = {
    "limit": _limit_text,
    "peers": _peers_text,
    "nearest": _nearest_text,
    "batches": _batches_text,
}
_TABLES: dict[str, Callable[[dict], list[str]]] = {
    "limit": _limit_table,
    "peers": _peers_table,
    "nearest": _nearest_table,
    "batches": _batches_table,
}
