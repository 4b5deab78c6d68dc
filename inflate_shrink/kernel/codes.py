"""Centroid codes: every fragment as the number of the centroid nearest to it, a cheap first stage of a search.

A query is compared with the centroids once; an item's score is then a maximum of looked-up bytes for
each query fragment. This is how ColBERT's indexes find candidates (Santhanam et al. 2022), without their residuals.
"""

from __future__ import annotations

import ctypes

import numpy as np

from .library import call, library, path_number, thread_count
from .rows import Rows, encode_rows
from .scores import scores

MOST_CENTROIDS = 1 << 16
_LANES = 32  # bytes of the table that are compared at once
_ROWS = 1 << 14


def encode_codes(vectors: np.ndarray, centroids: np.ndarray, threads: int = 0) -> np.ndarray:
    """(R,) uint16: the centroid (C, d) with the highest product for each of the vectors (R, d), both of length 1."""
    table = as_items(centroids, "bfloat16")
    codes = np.empty(len(vectors), np.uint16)
    for begin in range(0, len(vectors), _ROWS):
        part = slice(begin, begin + _ROWS)
        codes[part] = scores(vectors[part][:, None], table, threads=threads).argmax(1)
    return codes


def code_scores(query: np.ndarray, centroids: Rows, codes: np.ndarray, offsets: np.ndarray, threads: int = 0, path: str = "") -> np.ndarray:
    """Approximate scores (N,) float32 of a text query with every image.

    Args:
        query: (l, d) float32.
        centroids: C items of one row, see :func:`as_items`.
        codes: (R,) uint16 of the rows of N items; offsets: (N + 1,) int64.
    """
    products = scores(query[:, None], centroids, threads=threads, path=path)  # (l, C)
    table, lowest, step = _table(products)
    sums = _sums(table, codes, np.ascontiguousarray(offsets, np.int64), thread_count(threads), path_number(path))
    return sums * step + lowest.sum()


def as_items(vectors: np.ndarray, precision: str = "int8") -> Rows:
    """Vectors (N, d) as items of one row each."""
    values, scales = encode_rows(vectors, precision)
    return Rows(values, scales, np.arange(len(values) + 1, dtype=np.int64), precision, vectors.shape[1])


def _table(products: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.float32]:
    """Bytes (C, lanes) of products (l, C), the lowest of each fragment (l,), and the step between two bytes."""
    (fragments, centroids), lanes = products.shape, -(-len(products) // _LANES) * _LANES
    table = np.zeros((centroids, lanes), np.uint8)
    if library() is None:
        lowest = products.min(1)
        step = np.float32(max((products - lowest[:, None]).max(), 1e-30) / 255)
        table[:, :fragments] = ((products - lowest[:, None]) / step + 0.5).T
        return table, lowest, step
    lowest, step = np.empty(fragments, np.float32), np.empty(1, np.float32)
    call("is_code_table", products, fragments, centroids, lanes, table, lowest, step)
    return table, lowest, step[0]


def _sums(table: np.ndarray, codes: np.ndarray, offsets: np.ndarray, threads: int, path: int | None) -> np.ndarray:
    out = np.empty(len(offsets) - 1, np.float32)
    if path is None:
        for item in range(len(out)):
            out[item] = table[codes[offsets[item] : offsets[item + 1]]].max(0, initial=0).sum(dtype=np.int64)
    else:
        codes = np.ascontiguousarray(codes, np.uint16)
        call("is_code_scores", ctypes.c_int(path), table, table.shape[1], codes, offsets, len(out), out, ctypes.c_int(threads))
    return out
