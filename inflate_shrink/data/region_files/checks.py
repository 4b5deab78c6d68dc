"""What every format demands of its files and of the numbers of one image."""

from __future__ import annotations

import base64
import math
from contextlib import contextmanager
from pathlib import Path
from typing import Sequence

import numpy as np

from ...errors import InputError
from ..bad_records import BadRecords
from ..clustering import MOST_REGIONS
from ..image_ids import safe_name
from .records import Regions

MOST_NUMBERS = 1 << 24  # most in one array of an image, 64 MiB in float32; 100 boxes of 2048 are a hundredth of it


def check_shape(where: str, name: str, shape: Sequence[int]) -> None:
    """Raise InputError if an array of one image, not read yet, has more rows than MOST_REGIONS or more numbers
    than MOST_NUMBERS.
    """
    rows, numbers = shape[0] if len(shape) else 1, math.prod(map(int, shape))
    for found, most, what in ((rows, MOST_REGIONS, "boxes"), (numbers, MOST_NUMBERS, "numbers")):
        if found > most:
            raise InputError(
                f"{where}: {name}: {found} {what}, more than the limit of {most} an image; extract it with fewer"
            )


@contextmanager
def reading(where: str | Path, advice: str = ""):
    """Turn an OSError of the body into an InputError that names ``where``."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error.strerror or error}{advice}") from error


def usable_id(image_id: str, where: str, bad: BadRecords) -> bool:
    """Return whether an image id may be kept; report it if not."""
    if safe_name(image_id):
        return True
    bad.report(
        f"{where}: the image id {image_id[:100]!r} cannot be used: it is empty, an absolute path, or holds '..', a tab,"
        " a line end, NUL or broken Unicode; rename the image"
    )
    return False


def whole_number(where: str, name: str, text: bytes) -> int:
    """Return a number above 0 that is written in digits; raise InputError if it is none."""
    if not (text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise InputError(f"{where}: expected {name} to be a whole number above 0, found {_show(text)}")
    return int(text)


def base64_floats(where: str, name: str, text: bytes, rows: int, columns: int | None = None) -> np.ndarray:
    """Decode little-endian float32 in base64 to (rows, columns), any number of columns if None; raise InputError."""
    check_shape(where, name, (rows, max(columns or 1, len(text) * 3 // 16 // rows)))
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise InputError(f"{where}: {name} is not valid base64 ({error})") from error
    width = 4 * rows * (columns or 1)
    if not data or (len(data) != width if columns else len(data) % width):
        expected = f"{width}" if columns else f"a multiple of {width}"
        raise InputError(f"{where}: {name} holds {len(data)} bytes, expected {expected} for {rows} boxes in float32")
    return np.frombuffer(data, "<f4").reshape(rows, -1).astype(np.float32)


def regions(
    where: str, features: np.ndarray, boxes: np.ndarray | None = None, width: int = 0, height: int = 0, file: str = ""
) -> Regions:
    """Return regions with checked shapes and finite float32 numbers; zeros for boxes that are not known.

    Raises:
        InputError: not (n, D) features with n, D >= 1 and (n, 4) boxes, not numbers, or NaN or infinite in float32.
    """
    features = _numbers(where, "features", features)
    if features.ndim != 2 or features.size == 0:
        raise InputError(
            f"{where}: expected features of shape (boxes, dimension), at least one box, found {features.shape}"
        )
    boxes = np.zeros((len(features), 4), np.float32) if boxes is None else _numbers(where, "boxes", boxes)
    if boxes.shape != (len(features), 4):
        raise InputError(
            f"{where}: expected boxes of shape ({len(features)}, 4), one a feature row, found {boxes.shape}"
        )
    return Regions(features, boxes, width, height, file)


def _numbers(where: str, name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiu":
        raise InputError(f"{where}: {name} are of type {array.dtype}, expected numbers")
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise InputError(
            f"{where}: {name} contain NaN, infinity or a number too large for float32; extract this image again"
        )
    return array


def _show(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", "replace"))
