"""From a directory of runs to the files of a report: ``tools/report.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterable

from ..atomic import atomic_path
from ..errors import InputError
from .collect import Collection, collect
from .tables import TITLES, benches, build_tables
from .write import as_json, csv_text, markdown

FORMATS = ("md", "csv", "json")


def write_report(
    runs: Path,
    out: Path,
    data_sets: Iterable[str] = (),
    tables: Iterable[str] = tuple(TITLES),
    figures: Iterable[int] = (1, 3),
    formats: Iterable[str] = FORMATS,
    note: str = "",
) -> list[str]:
    """Write OUT/DATA.md, .csv, .json and the figures of each data set.

    Returns a line for each file, and for what is not counted.

    Args:
        data_sets: the names of those wanted; none: all.
        tables: keys of :data:`.tables.TITLES`.
        note: under the title of the Markdown.

    Raises InputError if there is nothing to report on.
    """
    collection = collect(runs)
    lines = []
    for data in _wanted(runs, collection, list(data_sets)):
        lines += _write_data_set(collection, data, out, list(tables), list(figures), list(formats), note)
    return lines + [f"not counted: {line}" for line in collection.left_out]


def _wanted(runs: Path, collection: Collection, names: list[str]) -> list[str]:
    found = collection.data_sets
    for name in names:
        if name not in found:
            raise InputError(f"{runs}: no result on data set '{name}'; there are results on {', '.join(found)}")
    return names or found


def _write_data_set(
    collection: Collection, data: str, out: Path, keys: list[str], numbers: list[int], formats: list[str], note: str
) -> list[str]:
    groups = collection.of(data)
    tables = build_tables(groups, keys)
    reranked = [group for group in groups if "rerank" in keys and any(run.rerank for run in group.runs)]
    drawn = _figures(groups, out, numbers)
    texts = {
        "md": lambda: markdown(
            data,
            keys,
            tables,
            reranked,
            [(figure.files[0], figure.caption) for figure in drawn],
            collection.left_out,
            note,
        ),
        "csv": lambda: csv_text(tables, reranked),
        "json": lambda: json.dumps(as_json(data, tables, groups, collection.left_out), indent=1) + "\n",
    }
    lines = []
    for name in formats:
        path = out / f"{data}.{name}"
        with atomic_path(path) as temporary:
            temporary.write_text(texts[name](), encoding="utf-8")
        lines.append(f"{path}: {len(tables) + bool(reranked)} tables of {len(groups)} models")
    return lines + [str(out / file) for figure in drawn for file in figure.files]


def _figures(groups, out: Path, numbers: list[int]) -> list:
    measured_on = benches(groups)
    if not numbers or not measured_on:
        return []
    from .figures import draw_figure_1, draw_figure_3

    bench = measured_on[0]
    measured = [group for each in groups if (group := each.on(bench))]
    drawn = [{1: draw_figure_1, 3: draw_figure_3}[number](out, bench, measured) for number in numbers]
    return [figure for figure in drawn if figure]
