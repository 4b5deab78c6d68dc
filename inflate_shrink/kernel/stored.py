"""How fragments are stored: in fp32, bf16, or int8 with a scale for each row."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from .compiled import call, library, thread_count

PRECISIONS = ("float32", "bfloat16", "int8")
ROW_DTYPE = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(np.uint16), "int8": np.dtype(np.uint8)}
_NUMBERS_IN_WORD = {"float32": 1, "bfloat16": 2, "int8": 4}  # a row is a whole number of 32-bit words
MOST_INT8_DIMENSIONS = (2**31 - 1) // (127 * 128)  # a 32-bit integer still holds the sum of so many products
_ZERO = 128  # int8 is stored as a byte with this added
_TINY = np.float32(1e-30)


@dataclass(frozen=True, eq=False)
class StoredFragments:
    """The fragments of N items (images or captions), one after another; len() is N.

    values: (R, w) float32; uint16, the bits of bf16; or uint8, int8 + 128. w: :func:`row_width`, the
    rest of a row is zero. scales: (R,) float32 of int8 rows, else None: a number is scale * (byte - 128).
    offsets: (N + 1,) int64, item i has the rows offsets[i] to offsets[i + 1]. Fragments that do not count
    are left out: items may have different numbers of rows. center: (d,) float32, taken from every vector before
    it was rounded, or None: what all fragments have in common need not spend int8's few levels.
    """

    values: np.ndarray
    scales: np.ndarray | None
    offsets: np.ndarray
    precision: str
    dim: int
    center: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1


def row_width(dim: int, precision: str) -> int:
    """Return how many numbers are in a stored row of ``dim`` dimensions.

    Raises InputError if there is no such precision or it has no such rows.
    """
    if precision not in PRECISIONS:
        raise InputError(f"the precision of rows is one of {', '.join(PRECISIONS)}, found {precision!r}")
    most = MOST_INT8_DIMENSIONS if precision == "int8" else np.iinfo(np.int32).max
    if not isinstance(dim, (int, np.integer)) or not 1 <= dim <= most:
        raise InputError(f"rows in {precision} have 1 to {most} dimensions, found {dim}")
    numbers = _NUMBERS_IN_WORD[precision]
    return -(-int(dim) // numbers) * numbers


def array_of(what: str, values, dtype, *shape: int | None) -> np.ndarray:
    """Return the values, contiguous and of a type.

    Raises InputError unless they have the shape (None: any length) and are whole numbers where the type is.
    """
    try:
        array = np.asarray(values)
        fits = array.dtype == dtype or array.dtype.kind in (
            "iuf" if np.dtype(dtype).kind == "f" or not array.size else "iu"
        )
        if (
            fits
            and array.ndim == len(shape)
            and all(wanted in (None, length) for wanted, length in zip(shape, array.shape))
        ):
            return np.ascontiguousarray(array, dtype)
        found = f"{array.shape} {array.dtype}"
    except (TypeError, ValueError) as error:
        found = " ".join(str(error).split())
    wanted = ", ".join(".." if length is None else str(length) for length in shape)
    raise InputError(f"{what} are an array ({wanted}) of {np.dtype(dtype)}, found {found}")


def checked(
    rows: StoredFragments, chosen: np.ndarray | None, *queries: np.ndarray
) -> tuple[StoredFragments, np.ndarray | None, list[np.ndarray]]:
    """Return all as the library reads it: contiguous, of the types above, within their bounds, but for the offsets,
    which the library itself compares with the rows.
    """
    values, scales = _stored(rows.values, rows.scales, rows.precision, rows.dim)
    center = _center(rows.center, rows.dim)
    rows = replace(
        rows, values=np.ascontiguousarray(values), scales=scales, offsets=checked_offsets(rows.offsets), center=center
    )
    queries = [_query(query, rows.dim) for query in queries]
    return rows, checked_items(chosen, len(rows)), queries


def checked_offsets(offsets: np.ndarray) -> np.ndarray:
    """Return the offsets (N + 1,) as contiguous int64; whether they name rows that are there is not looked at."""
    offsets = array_of("offsets of items", offsets, np.int64, None)
    if not len(offsets):
        raise InputError("offsets of N items are N + 1 numbers, found none")
    return offsets


def checked_items(chosen: np.ndarray | None, count: int) -> np.ndarray | None:
    """Return the numbers of some of ``count`` items as contiguous int64. Raises InputError if there is no such item."""
    chosen = None if chosen is None else array_of("numbers of items", chosen, np.int64, None)
    if chosen is not None and len(chosen) and not 0 <= chosen.min() <= chosen.max() < count:
        raise InputError(
            f"there are {count} items, numbered from 0, found numbers from {chosen.min()} to {chosen.max()}"
        )
    return chosen


def encode_rows(
    vectors: np.ndarray, precision: str, threads: int = 0, center: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Round finite vectors (R, d) float32; return values and scales as :class:`StoredFragments` has them.

    Raises:
        InputError: there is no such precision, it has no rows of d dimensions, or the center has others.
    """
    vectors = array_of("vectors", vectors, np.float32, None, None)
    (rows, dim), width = vectors.shape, row_width(vectors.shape[1], precision)
    threads = thread_count(threads)
    if center is not None:
        vectors = vectors - _center(center, dim)
    if library() is None:
        return _encode(vectors, width, precision)
    values = np.empty((rows, width), ROW_DTYPE[precision])
    scales = np.empty(rows, np.float32) if precision == "int8" else None
    number, row_bytes = ctypes.c_int(PRECISIONS.index(precision)), values.itemsize * width
    call("is_encode_rows", number, vectors, rows, dim, values, row_bytes, scales, ctypes.c_int(threads))
    return values, scales


def decode_rows(
    values: np.ndarray, scales: np.ndarray | None, precision: str, dim: int, center: np.ndarray | None = None
) -> np.ndarray:
    """Return the vectors (R, d) float32 of stored rows.

    Raises InputError if they are not those of the precision and the dimension.
    """
    vectors = _decode(*_stored(values, scales, precision, dim), precision, dim)
    return vectors if center is None else vectors + _center(center, dim)


def round_to(vectors: np.ndarray, precision: str) -> np.ndarray:
    """Return vectors (R, d) float32 with the error that ``precision`` brings: queries are rounded like rows."""
    return _decode(*_encode(vectors, vectors.shape[1], precision), precision, vectors.shape[1])


def _stored(
    values: np.ndarray, scales: np.ndarray | None, precision: str, dim: int
) -> tuple[np.ndarray, np.ndarray | None]:
    width, dtype = row_width(dim, precision), ROW_DTYPE[precision]
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.shape[1] != width or values.dtype != dtype:
        found = f"{values.shape} {values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
        raise InputError(
            f"rows of {dim} dimensions in {precision} are an array (.., {width}) of {dtype}, found {found}"
        )
    if precision == "int8":
        return values, array_of("scales of int8 rows", scales, np.float32, len(values))
    if scales is not None:
        raise InputError(f"rows in {precision} have no scales")
    return values, None


def _center(center: np.ndarray | None, dim: int) -> np.ndarray | None:
    return None if center is None else array_of("a center's numbers", center, np.float32, dim)


def _query(query: np.ndarray, dim: int) -> np.ndarray:
    shape = np.shape(query)
    if len(shape) != 2 or shape[1] != dim:
        raise InputError(f"a query has the shape {shape}, the index holds vectors of {dim} dimensions")
    return array_of("fragments of a query", query, np.float32, None, dim)


def _decode(values: np.ndarray, scales: np.ndarray | None, precision: str, dim: int) -> np.ndarray:
    values = values[:, :dim]
    if precision == "int8":
        return (values.astype(np.float32) - _ZERO) * scales[:, None]
    if precision == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return np.array(values)


def _encode(vectors: np.ndarray, width: int, precision: str) -> tuple[np.ndarray, np.ndarray | None]:
    padded = np.zeros((len(vectors), width), np.float32)
    padded[:, : vectors.shape[1]] = vectors
    if precision == "bfloat16":
        bits = padded.view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16), None
    if precision == "int8":
        largest = np.abs(padded).max(1, initial=0)
        largest[largest < _TINY] = 0
        inverse = np.divide(np.float32(127), largest, out=np.zeros_like(largest), where=largest > 0)
        return (np.rint(padded * inverse[:, None]) + _ZERO).astype(np.uint8), largest / np.float32(127)
    return padded, None
