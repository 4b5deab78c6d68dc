"""Centroid codes: every fragment as the number of the centroid nearest to it, a cheap first stage of a search.

A query is compared with the centroids once; an item's score is then a maximum of looked-up bytes for
each query fragment. This is how ColBERT's indexes find candidates (Santhanam et al. 2022), without their residuals.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np

from .compiled import call, path_number, thread_count
from .rows import PRECISIONS, Rows, checked, checked_items, encode_rows
from .scores import scores

MOST_CENTROIDS = 1 << 16
_LANES = 32  # bytes of the table that are compared at once
_PRODUCTS = 1 << 26  # at a time: 256 MiB


def encode_codes(vectors: np.ndarray, centroids: np.ndarray, threads: int = 0) -> np.ndarray:
    """(R,) uint16: the centroid (C, d) with the highest product for each of the vectors (R, d), both of length 1."""
    table = as_items(centroids, "bfloat16")
    codes = np.empty(len(vectors), np.uint16)
    at_once = max(1, _PRODUCTS // len(centroids))
    for begin in range(0, len(vectors), at_once):
        part = slice(begin, begin + at_once)
        codes[part] = scores(vectors[part][:, None], table, threads=threads).argmax(1)
    return codes


class CodeTable(NamedTuple):
    """The products of a query with all centroids as bytes. table: (65536, lanes), the first C rows; offset, step: of a sum of bytes to a score."""

    table: np.ndarray
    offset: float
    step: float


def code_table(query: np.ndarray, centroids: Rows, threads: int = 0, path: str = "") -> CodeTable:
    """Compare a query (l, d) float32 with C centroids, items of one row (see :func:`as_items`)."""
    centroids, _, (query,) = checked(centroids, None, query)
    (fragments, dim), count, number = query.shape, centroids.items, path_number(path)
    table = np.zeros((max(count, MOST_CENTROIDS), -(-fragments // _LANES) * _LANES), np.uint8)  # any code that a damaged file may hold has a row
    if number is None:
        products = scores(query[:, None], centroids, path=path)
        lowest = products.min(1)
        step = max(float((products - lowest[:, None]).max(initial=0)), 1e-30) / 255
        table[:count, :fragments] = ((products - lowest[:, None]) / np.float32(step) + 0.5).T
        return CodeTable(table, float(lowest.sum()), step)
    lowest, step = np.empty(fragments, np.float32), np.empty(1, np.float32)
    precision, row_bytes = PRECISIONS.index(centroids.precision), centroids.values.shape[1] * centroids.values.itemsize
    call(
        "is_code_table", ctypes.c_int(number), ctypes.c_int(precision), query, fragments, dim, centroids.values, centroids.scales,
        row_bytes, count, table.shape[1], table, lowest, step, ctypes.c_int(thread_count(threads)),
    )  # fmt: skip
    return CodeTable(table, float(lowest.sum()), float(step[0]))


def code_scores(table: CodeTable, codes: np.ndarray, offsets: np.ndarray, items: np.ndarray | None = None, threads: int = 0, path: str = "") -> np.ndarray:
    """Approximate scores (n,) float32 of a text query with images.

    Args:
        codes: (R,) uint16 of the rows of N images; offsets: (N + 1,) int64.
        items: (n,) int, only these; None: all.
    """
    codes, offsets, number = np.ascontiguousarray(codes, np.uint16), np.ascontiguousarray(offsets, np.int64), path_number(path)
    items = checked_items(items, len(offsets) - 1)
    sums = np.empty(len(offsets) - 1 if items is None else len(items), np.float32)
    if number is None:
        for i, item in enumerate(range(len(sums)) if items is None else items):
            sums[i] = table.table[codes[offsets[item] : offsets[item + 1]]].max(0, initial=0).sum(dtype=np.int64)
    else:
        threads = ctypes.c_int(thread_count(threads))
        call("is_code_scores", ctypes.c_int(number), table.table, table.table.shape[1], codes, offsets, items, len(sums), sums, threads)
    return sums * np.float32(table.step) + np.float32(table.offset)


def as_items(vectors: np.ndarray, precision: str = "int8") -> Rows:
    """Vectors (N, d) as items of one row each."""
    values, scales = encode_rows(vectors, precision)
    return Rows(values, scales, np.arange(len(values) + 1, dtype=np.int64), precision, vectors.shape[1])
