"""The published numbers, as data (published.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

_BY_MODEL = {f"table{n}": f"Table {n}" for n in (1, 2, 5, 6, 7, 8)}
_ELSEWHERE = {"rfrs": "Geigle et al. 2022", "visual_sparta": "Lu et al. 2021"}


def published_table(name: str) -> dict | list:
    """A table of published.yaml: ``table2`` is model -> codes, fragments and recalls, ``table9`` the list of its rows."""
    return _tables()[name]


def published_rows(model: str) -> list[tuple[str, dict]]:
    """Every published row of a model: a label, such as ``Table 2`` or ``Table 9, setting 6``, and the row.

    Settings of Table 9 that share a step share its row: ``Table 9, settings 5-6``.
    """
    tables = _tables()
    settings = [row for row in tables["table9"] if row["name"] == model]
    rows = [(label, tables[key][model]) for key, label in _BY_MODEL.items() if model in tables[key]]
    if settings:
        rows.append((f"Table 9, {_settings(settings[0]['setting'], settings[-1]['setting'])}", settings[0]))
    return rows + [(label, tables[key][model]) for key, label in _ELSEWHERE.items() if model in tables[key]]


def _settings(first: int, last: int) -> str:
    if first == 0:
        return "baseline"
    return f"setting {first}" if first == last else f"settings {first}-{last}"


@cache
def _tables() -> dict:
    return yaml.safe_load((Path(__file__).parent / "published.yaml").read_text(encoding="utf-8"))
