"""Flickr's token file: ``name.jpg#0<TAB>caption`` a line, as in ``results_20130124.token``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

from ..bad_records import BadRecords
from .files import read_lines, shown
from .records import Caption, CaptionOptions

_KEY = re.compile(r"(.+)#[0-9]+")


def read(path: Path, bad: BadRecords, options: CaptionOptions) -> Iterator[Caption]:
    """Yield the captions, without a split. A line of another form and a repeated ``name#n`` are bad records."""
    line_of: dict[str, int] = {}
    for line, row in read_lines(path):
        if not row.strip():
            continue
        where = f"{path}: line {line}"
        key, tab, text = row.partition("\t")
        match = _KEY.fullmatch(key)
        if not (tab and match):
            bad.report(f"{where}: expected name.jpg#0<TAB>caption, found {shown(row)}")
        elif key in line_of:
            bad.report(f"{where}: {shown(key)} is already on line {line_of[key]}; number the captions of an image")
        else:
            line_of[key] = line
            yield Caption(match[1], text, None, where)
