"""Measurements as text: a title that says what was measured, then lines of name, number and unit."""

from __future__ import annotations

from typing import Iterable, NamedTuple

from inflate_shrink.formatting import text_table


class Row(NamedTuple):
    """One number; ``unit`` may be followed by a remark."""

    name: str
    value: float
    unit: str


def format_section(title: str, rows: Iterable[Row]) -> str:
    """Write the title and an indented line for each row, the numbers right-aligned."""
    return f"{title}\n" + text_table("  {:<44} {:>10} {}", [(row.name, _number(row.value), row.unit) for row in rows])


def _number(value: float) -> str:
    """Write three digits at least, without an exponent."""
    decimals = sum(abs(value) < least for least in (100, 10, 1))
    return f"{value:.{decimals}f}"
