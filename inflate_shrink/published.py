"""The published numbers, as data (published.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from .formatting import slashes

_BY_MODEL = {f"table{n}": f"Table {n}" for n in (1, 2, 5, 6, 7, 8)}
_ELSEWHERE = {"rfrs": "Geigle et al. 2022", "visual_sparta": "Lu et al. 2021"}


def published_table(name: str) -> dict | list:
    """Return a table of published.yaml.

    ``table2`` is model -> codes, fragments and recalls, ``table9`` the list of its rows.
    """
    return _tables()[name]


def published_rows(model: str) -> list[tuple[str, dict]]:
    """Return every published row of a model: a label, such as ``Table 2`` or ``Table 9, setting 6``, and the row.

    Settings of Table 9 that share a step share its row: ``Table 9, settings 5-6``.
    """
    tables = _tables()
    settings = [row for row in tables["table9"] if row["name"] == model]
    rows = [(label, tables[key][model]) for key, label in _BY_MODEL.items() if model in tables[key]]
    if settings:
        rows.append((f"Table 9, {_settings(settings[0]['setting'], settings[-1]['setting'])}", settings[0]))
    return rows + [(label, tables[key][model]) for key, label in _ELSEWHERE.items() if model in tables[key]]


def row_names() -> list[str]:
    """Return the names of the paper's own rows, of Tables 1, 2 and 6 to 9."""
    tables = _tables()
    names = [name for n in (1, 2, 6, 7, 8) for name in tables[f"table{n}"]]
    return list(dict.fromkeys([*names, *(row["name"] for row in tables["table9"])]))


def describe_published(model: str) -> list[str]:
    """Return a line for each published result of a row: table, data, R@1/5/10 of both directions in percent."""
    rows, lines = published_rows("SCAN" if model.startswith("SCAN-") else model), []
    if model == "joint":
        rows.append((f"{_ELSEWHERE['rfrs']}, reranked", _tables()["rfrs"]["joint-reranked"]))
    for label, row in rows:
        for column in ("flickr30k", "coco1k", "coco5k"):
            sides = [(side, values) for side, values in row.get(column, {}).items() if values]
            recalls = [f"{side} R@1/5/10 {slashes(values)}" for side, values in sides]
            lines += [f"{label}, {column}: {', '.join(recalls)}"] if recalls else []
    return lines


def _settings(first: int, last: int) -> str:
    if first == 0:
        return "baseline"
    return f"setting {first}" if first == last else f"settings {first}-{last}"


@cache
def _tables() -> dict:
    return yaml.safe_load((Path(__file__).parent / "published.yaml").read_text(encoding="utf-8"))
