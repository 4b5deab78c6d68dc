"""Lines of TSV files whose fields are megabytes of base64."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Iterator, Sequence

from ...errors import InputError
from ..bad_records import BadRecords
from .checks import reading, usable_id
from .records import RegionItem

LONGEST = 1 << 26  # bytes of a line; 100 boxes of 2048 take about 1.1 MB
_PACKED = {b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zX": "xz"}


def line_items(paths: Sequence[Path], bad: BadRecords, fields: range, names: str) -> Iterator[RegionItem]:
    """Yield items whose payload is the line with its line end and whose id is the first field.

    Empty lines are passed over; the csv module is not used because it would decode every byte.

    Args:
        fields: how many tab-separated fields a line may have; ``names`` says which, for messages.

    Raises:
        InputError: a file cannot be read or is packed (and what ``bad`` raises).
    """
    for path in paths:
        _check(path)
    for path in paths:
        number = 0
        with reading(path), open(path, "rb", buffering=1 << 20) as file:
            for number, line in enumerate(iter(partial(file.readline, LONGEST), b""), 1):
                where = f"{path}: line {number}"
                if len(line) == LONGEST and not line.endswith(b"\n"):
                    _drop_rest(file)
                    bad.report(f"{where}: longer than {LONGEST} bytes, so this is not a file of this format")
                elif line.strip():
                    yield from _item(where, line, bad, fields, names)
        if number == 0:
            bad.report(f"{path}: empty file; copy or download it again")


@contextmanager
def fields_of(item: RegionItem):
    """Yield the fields of an item's line; an InputError of the body says so if the line has no line end."""
    line = item.payload
    try:
        yield line.rstrip(b"\r\n").split(b"\t")
    except InputError as error:
        raise InputError(f"{error}{_cut_short(line)}") from error


def _cut_short(line: bytes) -> str:
    if line.endswith(b"\n"):
        return ""
    return "; the line has no line end, so the file may be cut short: copy or download it again"


def _item(where: str, line: bytes, bad: BadRecords, fields: range, names: str) -> Iterator[RegionItem]:
    found = line.count(b"\t") + 1
    if found not in fields:
        expected = fields[0] if len(fields) == 1 else f"at least {fields[0]}"
        bad.report(f"{where}: expected {expected} tab-separated fields ({names}), found {found}{_cut_short(line)}")
        return
    # an id that is not UTF-8 becomes one that usable_id refuses
    image_id = line.split(b"\t", 1)[0].decode("utf-8", "surrogateescape")
    if usable_id(image_id, where, bad):
        yield RegionItem(image_id, where, line)


def _check(path: Path) -> None:
    with reading(path, "; give the TSV files themselves"), open(path, "rb") as file:
        head = file.read(4)
    for magic, kind in _PACKED.items():
        if head.startswith(magic):
            raise InputError(f"{path}: is {kind}; unpack it and give the TSV file inside")


def _drop_rest(file) -> None:
    while True:
        part = file.readline(LONGEST)
        if not part or part.endswith(b"\n"):
            return
