"""The files that an ONNX network consists of: weights may lie beside the ``.onnx`` file, which then names them."""

from __future__ import annotations

import mmap
from pathlib import Path, PurePosixPath
from typing import Iterator

from ..errors import InputError

# Messages of onnx.proto on the way to its tensors: the message in each field that may hold one. Other fields are passed
# over unread.
_MESSAGES = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},  # 13 is external_data
}
_DEEPEST = 100  # messages in each other, protobuf's own limit


def external_files(path: Path) -> list[Path]:
    """Return the files beside an ``.onnx`` file that hold weights of it, sorted.

    Raises:
        InputError: it is no ONNX file, or names a file outside its folder or one that is not there.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            names = {name.decode("utf-8") for name in _locations(data, 0, len(data), "Model", 0)}
    except (ValueError, IndexError):
        raise InputError(f"{path}: not an ONNX model: it is damaged, empty or of another kind; copy it again") from None
    for name in names:
        if not name or "\\" in name or "\0" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise InputError(
                f"{path}: its weights are to be read from {name[:100]!r}, which leads out of its folder; "
                "export it again"
            )
        if not (path.parent / name).is_file():
            raise InputError(f"{path}: its weights are in {name[:100]!r}, which is not beside it; copy it too")
    return [path.parent / name for name in sorted(names)]


def _locations(data: mmap.mmap, place: int, end: int, message: str, depth: int) -> Iterator[bytes]:
    """Yield the values of the key ``location`` in external_data of all tensors in a message."""
    if depth > _DEEPEST:
        raise ValueError("messages in messages")
    inner = _MESSAGES[message]
    for field, begin, stop in _fields(data, place, end):
        if inner.get(field) == "Entry":
            entry = {number: data[first:last] for number, first, last in _fields(data, begin, stop)}
            if entry.get(1) == b"location":
                yield entry.get(2, b"")
        elif field in inner:
            yield from _locations(data, begin, stop, inner[field], depth + 1)


def _fields(data: mmap.mmap, place: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, begin and end of the fields of a message that have a length."""
    while place < end:
        key, place = _number(data, place)
        kind = key & 7
        if kind == 2:
            size, place = _number(data, place)
            if place + size > end:
                raise ValueError("cut short")
            yield key >> 3, place, place + size
            place += size
        elif kind == 0:
            _, place = _number(data, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError("no such kind of field")


def _number(data: mmap.mmap, place: int) -> tuple[int, int]:
    """Read a number of at most ten bytes, seven bits in each, and return it with the place after it."""
    number = 0
    for byte in range(10):
        number |= (data[place + byte] & 127) << 7 * byte
        if data[place + byte] < 128:
            return number, place + byte + 1
    raise ValueError("no number")
