"""JSON lines: ``{"image": "1.jpg", "captions": ["A dog.", "One dog."], "split": "train"}``, one image a line.

``"caption": "A dog."`` may stand for a list of one; ``"split"`` may be left out or null.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from ..bad_records import BadRecords
from .files import parse_json, read_lines, shown, take
from .options import CaptionOptions
from .records import Caption


def read(path: Path, bad: BadRecords, options: CaptionOptions) -> Iterator[Caption]:
    """Yield the captions. A line that is no such object, a caption that is no text and a repeated image are bad records."""
    line_of: dict[str, int] = {}
    for line, row in read_lines(path):
        if not row.strip():
            continue
        where = f"{path}: line {line}"
        try:
            record = parse_json(row)
        except ValueError as error:
            bad.report(f"{where}: {str(error).replace('line 1 column', 'column')}")
            continue
        texts = _texts(where, record, bad)
        if texts is None:
            continue
        image, split = record["image"], record.get("split")
        if split is not None and not isinstance(split, str):
            bad.report(f"{where}: split: expected text, found {shown(split)}")
        elif image in line_of:
            bad.report(f"{where}: image {shown(image)} is already on line {line_of[image]}; put all its captions on one line")
        else:
            line_of[image] = line
            for number, text in enumerate(texts):
                place = f"{where}: captions[{number}]"
                if isinstance(text, str):
                    yield Caption(image, text, split, place)
                else:
                    bad.report(f"{place}: expected text, found {shown(text)}")


def _texts(where: str, record: object, bad: BadRecords) -> list | None:
    """The captions of a record that names its image; None, after reporting, if it is not so."""
    if take(f"{where}: ", record, bad, image=str) is None:
        return None
    if "caption" in record and "captions" in record:
        bad.report(f"{where}: 'caption' and 'captions', expected one of them")
        return None
    if "caption" in record:
        return take(f"{where}: ", record, bad, caption=str)
    if take(f"{where}: ", record, bad, captions=list) is None:
        return None
    if not record["captions"]:
        bad.report(f"{where}: captions: empty, expected at least one")
    return record["captions"] or None
