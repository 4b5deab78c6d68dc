"""JSON lines, one record a line, and a JSON list of the same records.

    {"image": "1.jpg", "captions": ["A dog.", "One dog."], "split": "train"}

``"caption": "A dog."`` may stand for a list of one, and an image then come several times, once with each
caption; ``"split"`` may be left out or null.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, Iterator

from ...errors import InputError
from ..bad_records import BadRecords
from .files import parse_json, read_json, read_lines, shown, take
from .records import Caption, CaptionOptions


def read(path: Path, bad: BadRecords, options: CaptionOptions) -> Iterator[Caption]:
    """Yield the captions of JSON lines; a line that is no JSON is a bad record, as are those of :func:`_captions`."""
    yield from _captions(_lines(path, bad), bad)


def read_list(path: Path, bad: BadRecords, options: CaptionOptions) -> Iterator[Caption]:
    """Yield the captions of a JSON list; raise InputError if the file holds none, bad records as :func:`_captions`."""
    records = read_json(path)
    if not isinstance(records, list):
        raise InputError(
            f'{path}: expected a JSON list of {{"image": ..., "captions": [...]}}, found {shown(records)};'
            " COCO's files are of the format coco, Karpathy's of karpathy"
        )
    yield from _captions(((f"{path}: [{number}]", record) for number, record in enumerate(records)), bad)


def _lines(path: Path, bad: BadRecords) -> Iterator[tuple[str, object]]:
    for line, row in read_lines(path):
        if row.strip():
            where = f"{path}: line {line}"
            try:
                yield where, parse_json(row)
            except ValueError as error:
                bad.report(f"{where}: {str(error).replace('line 1 column', 'column')}")


def _captions(records: Iterable[tuple[str, object]], bad: BadRecords) -> Iterator[Caption]:
    """Yield the captions of ``(where, record)``.

    What is no such object, a caption that is no text and an image's second list are bad records.
    """
    first: dict[str, str] = {}
    for where, record in records:
        texts = _texts(where, record, bad)
        if texts is None:
            continue
        image, split = record["image"], record.get("split")
        if split is not None and not isinstance(split, str):
            bad.report(f"{where}: split: expected text, found {shown(split)}")
        elif image in first and "captions" in record:
            bad.report(
                f"{where}: image {shown(image)} is already at {first[image]}; put all its captions into one list"
            )
        else:
            first.setdefault(image, where)
            for number, text in enumerate(texts):
                place = f"{where}: captions[{number}]"
                if isinstance(text, str):
                    yield Caption(image, text, split, place)
                else:
                    bad.report(f"{place}: expected text, found {shown(text)}")


def _texts(where: str, record: object, bad: BadRecords) -> list | None:
    """Return the captions of a record that names its image; or None, after reporting, if it does not."""
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
