"""Arrays with a row for each image, beside a file of captions: SCAN's and the authors' released ones.

    scan      {split}_ims.npy          (N or 5N, 36, 2048)   beside {split}_caps.txt
    released  {split}_100featc32.npy   (N or 5N, 32, 2048)   beside {split}_caps.txt.bt

Five captions an image, one a line, so N is a fifth of the lines. With 5N rows, as some copies have, every
fifth is an image. Any float type, any number of regions and any dimension is read. Images have no names,
so image i of a split gets the id ``{split}-{i}``. Boxes and sizes are unknown: zeros.

Rows are read one by one where they lie in the file.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

import numpy as np

from ...errors import InputError
from ..bad_records import BadRecords
from ..captions.scan import CAPTIONS_PER_IMAGE
from ..npy import parse_header
from .checks import check_shape, reading, regions, usable_id
from .records import RegionItem, Regions


class Layout(NamedTuple):
    """How the names of the files of a split end: its array of regions, and the captions beside it."""

    array: str
    captions: str


class _Row(NamedTuple):
    path: str
    offset: int  # bytes
    shape: tuple[int, int]
    dtype: str


SCAN = Layout("_ims.npy", "_caps.txt")
RELEASED = Layout("_100featc32.npy", "_caps.txt.bt")


def items(layout: Layout, paths: Sequence[Path], bad: BadRecords) -> Iterator[RegionItem]:
    """Yield the images of arrays; the payload says where the row lies. A path is an array, or a folder of some splits.

    Raises:
        InputError: an array or its captions are missing, malformed or do not fit each other.
    """
    for array in [array for path in paths for array in _arrays(layout, Path(path))]:
        split = array.name[: -len(layout.array)]
        if not usable_id(f"{split}-0", str(array), bad):
            continue
        images = _count_images(array.with_name(split + layout.captions))
        yield from _rows(array, split, images, bad)


def decode(item: RegionItem) -> Regions:
    """Decode a row; raise InputError if it cannot be read or is not finite."""
    row: _Row = item.payload
    size = math.prod(row.shape) * np.dtype(row.dtype).itemsize
    with reading(item.where), open(row.path, "rb") as file:
        file.seek(row.offset)
        data = file.read(size)
    if len(data) < size:
        raise InputError(f"{item.where}: the file ends inside this row; copy it again")
    return regions(item.where, np.frombuffer(data, row.dtype).reshape(row.shape))


def _rows(array: Path, split: str, images: int, bad: BadRecords) -> Iterator[RegionItem]:
    shape, dtype, offset = _header(array)
    if shape[0] not in (images, CAPTIONS_PER_IMAGE * images):
        raise InputError(
            f"{array}: has {shape[0]} rows, but the captions beside it describe {images} images ({CAPTIONS_PER_IMAGE} "
            "lines each);"
            f" expected {images} or {CAPTIONS_PER_IMAGE * images} rows"
        )
    step = shape[0] // images
    check_shape(str(array), "rows", shape[1:])
    row_size = shape[1] * shape[2] * dtype.itemsize
    expected, size = offset + shape[0] * row_size, os.path.getsize(array)
    if size > expected:
        raise InputError(
            f"{array}: its header promises {expected} bytes, the file has {size}; it is damaged, copy it again"
        )
    whole = (size - offset) // row_size
    if whole < shape[0]:
        bad.report(
            f"{array}: its header promises {expected} bytes, the file has {size}: rows {whole} to {shape[0] - 1}"
            f" of 0 to {shape[0] - 1} are missing; copy it again"
        )
    for image in range(images):
        row = image * step
        if row >= whole:
            return
        where = f"{array}: row {row}"
        yield RegionItem(f"{split}-{image}", where, _Row(str(array), offset + row * row_size, shape[1:], dtype.str))


def _arrays(layout: Layout, path: Path) -> list[Path]:
    if os.path.isdir(path):
        with reading(path):
            found = sorted(file for file in path.iterdir() if _is_array(layout, file))
        if not found:
            raise InputError(
                f"{path}: no file named {{split}}{layout.array} in this folder; "
                "give the folder of the arrays or one array"
            )
        return found
    if not _is_array(layout, path):
        raise InputError(
            f"{path}: expected a file named {{split}}{layout.array}, such as train{layout.array}, "
            "or a folder of such files"
        )
    return [path]


def _is_array(layout: Layout, path: Path) -> bool:
    return path.name.endswith(layout.array) and path.name != layout.array


def _count_images(captions: Path) -> int:
    """Return the number of images, a fifth of the lines."""
    lines, last = 0, b"\n"
    with reading(captions, "; the captions must lie beside the array"), open(captions, "rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            lines, last = lines + part.count(b"\n"), part[-1:]
    lines += last != b"\n"
    if lines == 0 or lines % CAPTIONS_PER_IMAGE:
        raise InputError(f"{captions}: has {lines} lines, expected {CAPTIONS_PER_IMAGE} for every image; copy it again")
    return lines // CAPTIONS_PER_IMAGE


def _header(array: Path) -> tuple[tuple[int, int, int], np.dtype, int]:
    """Return shape and type of an array, and the size of its header in bytes."""
    try:
        with reading(array), open(array, "rb") as file:
            shape, column_order, dtype = parse_header(file)
            offset = file.tell()
    except ValueError as error:
        raise InputError(f"{array}: not a readable .npy file ({error}); copy it again") from error
    if column_order or len(shape) != 3 or min(shape) < 1 or dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise InputError(
            f"{array}: expected rows of float16, float32 or float64 regions, (images, regions, dimension) in C order,"
            f" found {dtype} {shape}{' in Fortran order' if column_order else ''}"
        )
    return shape, dtype, offset
