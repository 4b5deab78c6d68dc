"""Captions in a table with a header line: CSV, or TSV without quoting.

CSV is what spreadsheets and pandas write: a field may stand in double quotes and then hold commas,
newlines and doubled quotes. In TSV a quote is a character like any other, so a caption may begin with one.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Iterator

from ...errors import InputError, nearest
from ..bad_records import BadRecords
from .files import read_lines, shown
from .records import Caption, CaptionOptions

_LONGEST = 1 << 20  # characters in a field: a quote that is never closed takes no more than that
# Dialects, as the module csv has them.
CSV, TSV = {"delimiter": ","}, {"delimiter": "\t", "quoting": csv.QUOTE_NONE}


def read(path: Path, bad: BadRecords, options: CaptionOptions, **dialect) -> Iterator[Caption]:
    """Yield the captions of a table; rows of another number of fields than the header are bad records, blank ones not.

    Raises:
        InputError: the header lacks a column, or has it twice.
    """
    rows = _rows(path, bad, dialect)
    line, header = next(rows, (1, []))
    header = [name.strip() for name in header]
    names = [options.image_column, options.caption_column, *filter(None, [options.split_column])]
    columns = [_column(f"{path}: line {line}", header, name) for name in names]
    for line, fields in rows:
        where = f"{path}: line {line}"
        if len(fields) != len(header):
            bad.report(f"{where}: expected {len(header)} fields ({shown(header)}), found {len(fields)}")
            continue
        image, text, *split = (fields[column] for column in columns)
        yield Caption(image.strip(), text, split[0].strip() if split else None, where)


def _rows(path: Path, bad: BadRecords, dialect: dict) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line on which the row starts, fields)``; what the csv module cannot read is a bad record."""
    csv.field_size_limit(_LONGEST)
    rows = csv.reader((f"{text}\n" for _, text in read_lines(path)), strict=True, **dialect)
    while True:
        line = rows.line_num + 1
        try:
            fields = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            bad.report(f"{path}: line {line}: not a row ({error}, line {rows.line_num}); check the quotes")
            continue
        if any(field.strip() for field in fields):
            yield line, fields


def _column(where: str, header: list[str], name: str) -> int:
    if header.count(name) == 1:
        return header.index(name)
    problem = "no column" if name not in header else "more than one column"
    near = nearest(name, [column for column in header if column != name], 0.6)
    advice = f"; did you mean {near!r}?" if near else ""
    columns = ", ".join(map(repr, header))[:200] or "none"
    raise InputError(f"{where}: {problem} {name!r}; the columns are: {columns}{advice}")
