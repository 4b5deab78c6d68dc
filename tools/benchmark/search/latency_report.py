"""What :func:`.latency.measure_latency` found, as text and as Markdown."""

from __future__ import annotations

from inflate_shrink.formatting import markdown_table

from ..environment import describe_environment
from ..table import Row, format_section
from .encoding import WORDS

_SHORT = {"float32": "fp32", "bfloat16": "bf16", "int8": "int8"}


def describe(result: dict) -> str:
    """Say where it was measured."""
    return (
        f"{describe_environment(result['environment'])}\n{result['threads']} threads; Paddle on {result['device']}; "
        "random weights, drawn fragments"
    )


def encoding_text(result: dict) -> str:
    """Return the times of encoding a query (Table 3) as text."""
    rows = []
    for one in result["encoding"]:
        paper = f"; the paper's V100 {one['paper']:g} ms" if one["paper"] else ""
        unit = f"ms, for any number of candidates{paper}"
        rows.append(Row(f"{one['model']}, exported", one["exported"]["median_ms"], unit))
        rows.append(Row(f"{one['model']}, eager", one["eager"]["median_ms"], "ms"))
    for one in result["cross"]["times"] if result["cross"] else ():
        paper = f"; the paper's V100 {one['paper']:,} ms" if one["paper"] else ""
        unit = f"ms, {result['cross']['extrapolated']}{paper}"
        rows.append(Row(f"cross-BERT, {one['candidates']:,} candidates", one["ms"], unit))
    return format_section(f"Table 3: encoding a query of {WORDS} words, medians", rows)


def scoring_text(result: dict) -> str:
    """Return the times of scoring a collection (Table 4) as text."""
    rows, others = [], []
    for one in [*result["scoring"], *(result["on_device"] or [])]:
        name = f"{one['model']}, {_way(one)}, {one['candidates']:,} candidates"
        if not one["stored"]:
            others.append(f"  {name:<44} not measured: {one['reason']}")
            continue
        paper = f"; the paper's V100 {one['paper']:g} ms" if one["paper"] else ""
        unit = f"ms, {one['fragments']} x {one['fragments']}, from {one['stored']}{paper}"
        rows.append(Row(name, one["median_ms"], unit))
    gpu = [] if result["on_device"] else ["  on a GPU: not measured, Paddle has none here"]
    return "\n".join([format_section("Table 4: scoring all candidates by one query, medians", rows), *others, *gpu])


def latency_markdown(result: dict, command: str) -> str:
    """Write the whole result as a page."""
    found, sizes = result["environment"], result["candidates"]
    lines = [
        "# Latency of a query", "", f"    {command}", "",
        f"{found['date'][:10]}, seed {result['seed']}, {found['processor']}, {result['threads']} threads, "
        f"Paddle {found['versions']['paddle']} on",
        f"{result['device']}, load {found['load']:g} of other work before. "
        "Random weights and drawn fragments: times do not depend on them.",
        "Milliseconds, medians; the paper's are of a V100 in fp16.", "",
        "## Encoding a query (Table 3)", "",
        f"A query of {WORDS} words. A bi-encoder's does not depend on the candidates.", "",
    ]  # fmt: skip
    rows = [
        [
            one["model"],
            f"{one['exported']['median_ms']:.2f}",
            f"{one['eager']['median_ms']:.2f}",
            f"{one['paper']:g}" if one["paper"] else "",
        ]
        for one in result["encoding"]
    ]
    lines += [markdown_table(["model", "exported", "eager", "paper"], rows), ""]
    if result["cross"]:
        rows = [
            [f"{one['candidates']:,}", f"{one['ms']:,.0f}", f"{one['paper']:,}" if one["paper"] else ""]
            for one in result["cross"]["times"]
        ]
        lines += [
            f"The cross-BERT, {result['cross']['extrapolated']}:",
            "",
            markdown_table(["candidates", "ms", "paper"], rows),
            "",
        ]
    lines += [
        "## Scoring all candidates by one query (Table 4)",
        "",
        "The scores alone; [search.md](search.md) has times with the choice of the ten best.",
        "",
    ]
    entries = [*result["scoring"], *(result["on_device"] or [])]
    rows, reasons = [], []
    for model, way in dict.fromkeys((one["model"], _way(one)) for one in entries):
        of_row = {one["candidates"]: one for one in entries if (one["model"], _way(one)) == (model, way)}
        paper = next((one["paper"] for one in of_row.values() if one["paper"]), None)
        reasons += [
            f"- {model}, {way}, {size:,}: {of_row[size]['reason']}." for size in sizes if not of_row[size]["stored"]
        ]
        rows.append([model, way, *(_cell(of_row[size]) for size in sizes), f"{paper:g}" if paper else ""])
    lines.append(markdown_table(["model", "precision", *(f"{size:,}" for size in sizes), "paper, 100,000"], rows))
    lines += ["", "A star: from disk, not from memory.", *(["", "Not measured:", "", *reasons] if reasons else [])]
    return "\n".join([*lines, "" if result["on_device"] else "\nOn a GPU: not measured, Paddle has none here.", ""])


def _cell(one: dict) -> str:
    return f"{one['median_ms']:.2f}{'*' if one['stored'] == 'disk' else ''}" if one["stored"] else "-"


def _way(one: dict) -> str:
    return _SHORT[one["precision"]] if "precision" in one else f"GPU, {one['way']}"
