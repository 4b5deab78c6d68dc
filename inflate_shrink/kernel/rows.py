"""How fragments are stored: in fp32, bf16, or int8 with a scale for each row."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .compiled import call, library, thread_count

PRECISIONS = ("float32", "bfloat16", "int8")
ROW_DTYPE = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(np.uint16), "int8": np.dtype(np.uint8)}
_NUMBERS_IN_WORD = {"float32": 1, "bfloat16": 2, "int8": 4}  # a row is a whole number of 32-bit words
_ZERO = 128  # int8 is stored as a byte with this added
_TINY = np.float32(1e-30)


class Rows(NamedTuple):
    """The fragments of N items (images or captions), one after another.

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

    @property
    def items(self) -> int:
        """N."""
        return len(self.offsets) - 1


def row_width(dim: int, precision: str) -> int:
    """Numbers in a stored row of ``dim`` dimensions."""
    numbers = _NUMBERS_IN_WORD[precision]
    return -(-dim // numbers) * numbers


def checked(rows: Rows, items: np.ndarray | None, *queries: np.ndarray) -> tuple[Rows, np.ndarray | None, list[np.ndarray]]:
    """All as the library reads them: contiguous, of the types above, within their bounds."""
    width, dtype = row_width(rows.dim, rows.precision), ROW_DTYPE[rows.precision]
    if rows.values.shape[1:] != (width,) or rows.values.dtype != dtype:
        found = f"{rows.values.shape} {rows.values.dtype}"
        raise InputError(f"rows of {rows.dim} dimensions in {rows.precision} are an array (.., {width}) of {dtype}, found {found}")
    scales = None if rows.scales is None else np.ascontiguousarray(rows.scales, np.float32)
    rows = rows._replace(values=np.ascontiguousarray(rows.values), scales=scales, offsets=np.ascontiguousarray(rows.offsets, np.int64))
    queries = [np.ascontiguousarray(query, np.float32) for query in queries]
    for query in queries:
        if query.ndim != 2 or query.shape[1] != rows.dim:
            raise InputError(f"a query has the shape {query.shape}, the index holds vectors of {rows.dim} dimensions")
    return rows, checked_items(items, rows.items), queries


def checked_items(items: np.ndarray | None, count: int) -> np.ndarray | None:
    """Numbers of some of ``count`` items as contiguous int64. Raises InputError if there is no such item."""
    items = None if items is None else np.ascontiguousarray(items, np.int64)
    if items is not None and len(items) and not 0 <= items.min() <= items.max() < count:
        raise InputError(f"there are {count} items, numbered from 0, found numbers from {items.min()} to {items.max()}")
    return items


def encode_rows(vectors: np.ndarray, precision: str, threads: int = 0, center: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Values and scales, as of :class:`Rows`, of (R, d) finite float32 vectors; int8 has the largest magnitude of a row at 127."""
    vectors = np.ascontiguousarray(vectors if center is None else vectors - center, np.float32)
    (rows, dim), width = vectors.shape, row_width(vectors.shape[1], precision)
    if library() is None:
        return _encode(vectors, width, precision)
    values = np.empty((rows, width), ROW_DTYPE[precision])
    scales = np.empty(rows, np.float32) if precision == "int8" else None
    number, row_bytes = ctypes.c_int(PRECISIONS.index(precision)), values.itemsize * width
    call("is_encode_rows", number, vectors, rows, dim, values, row_bytes, scales, ctypes.c_int(thread_count(threads)))
    return values, scales


def decode_rows(values: np.ndarray, scales: np.ndarray | None, precision: str, dim: int, center: np.ndarray | None = None) -> np.ndarray:
    """(R, d) float32 of stored rows."""
    values = values[:, :dim]
    if precision == "int8":
        vectors = (values.astype(np.float32) - _ZERO) * scales[:, None]
    elif precision == "bfloat16":
        vectors = (values.astype(np.uint32) << 16).view(np.float32)
    else:
        vectors = np.array(values)
    return vectors if center is None else vectors + center


def round_to(vectors: np.ndarray, precision: str) -> np.ndarray:
    """(R, d) float32 vectors with the error that ``precision`` brings: queries are rounded like rows."""
    return decode_rows(*_encode(vectors, vectors.shape[1], precision), precision, vectors.shape[1])


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
