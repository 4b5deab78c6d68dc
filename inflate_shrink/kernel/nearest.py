"""Every fragment as the number of the centroid nearest to it, a cheap first stage of a search.

A query is compared with the centroids once; an item's score is then a maximum of looked-up bytes for
each query fragment. This is how ColBERT's indexes find candidates (Santhanam et al. 2022), without their residuals.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from .compiled import call, path_number, thread_count
from .scores import one_row_each, require_stored, scores
from .stored import PRECISIONS, StoredFragments, array_of, checked, checked_items, checked_offsets, encode_rows

MOST_CENTROIDS = 1 << 16
_LANES = 32  # bytes of the table that are compared at once
_PRODUCTS = 1 << 26  # the most computed at a time: 256 MiB


def nearest_centroids(vectors: np.ndarray, centroids: np.ndarray, threads: int = 0) -> np.ndarray:
    """Return (R,) uint16: the number of the centroid (C, d) with the highest product for each of the vectors (R, d),
    both of length 1.

    Raises InputError if the vectors are not finite or of another dimension, or C is not 1 to MOST_CENTROIDS.
    """
    table = as_items(centroids, "bfloat16")
    _require_centroids(len(table))
    vectors = array_of("vectors", vectors, np.float32, None, table.dim)
    nearest = np.empty(len(vectors), np.uint16)
    at_once = max(1, _PRODUCTS // len(centroids))
    for begin in range(0, len(vectors), at_once):
        part = slice(begin, begin + at_once)
        nearest[part] = scores(vectors[part][:, None], table, threads=threads).argmax(1)
    return nearest


class CentroidTable(NamedTuple):
    """The products of a query with all centroids as bytes. table: (65536, lanes), the first C rows; offset, step: of a
    sum of bytes to a score.
    """

    table: np.ndarray
    offset: float
    step: float


def centroid_table(query: np.ndarray, centroids: StoredFragments, threads: int = 0, path: str = "") -> CentroidTable:
    """Compare a query (l, d) float32 with C centroids, items of one row (see :func:`as_items`) without a center.

    Raises InputError if they are not.
    """
    centroids, _, (query,) = checked(centroids, None, query)
    _require_centroids(len(centroids))
    if len(centroids) != len(centroids.values) or not one_row_each(centroids.offsets) or centroids.center is not None:
        raise InputError("centroids are items of one row each, without a center")
    if not np.isfinite(query).all():
        raise InputError("a query holds a number that is NaN or infinite")
    (fragments, dim), count, number = query.shape, len(centroids), path_number(path)
    # Any number that a damaged file may hold has a row.
    table = np.zeros((MOST_CENTROIDS, -(-fragments // _LANES) * _LANES), np.uint8)
    if number is None:
        products = scores(query[:, None], centroids, threads=threads, path=path)
        lowest = products.min(1)
        step = max(float((products - lowest[:, None]).max(initial=0)), 1e-30) / 255
        table[:count, :fragments] = ((products - lowest[:, None]) / np.float32(step) + 0.5).T
        return CentroidTable(table, float(lowest.sum()), step)
    lowest, step = np.empty(fragments, np.float32), np.empty(1, np.float32)
    precision, row_bytes = PRECISIONS.index(centroids.precision), centroids.values.shape[1] * centroids.values.itemsize
    call(
        "is_code_table", ctypes.c_int(number), ctypes.c_int(precision), query, fragments, dim,
        centroids.values, centroids.scales, row_bytes, count, table.shape[1], table, lowest, step,
        ctypes.c_int(thread_count(threads)),
    )  # fmt: skip
    return CentroidTable(table, float(lowest.sum()), float(step[0]))


def centroid_scores(
    table: CentroidTable,
    nearest: np.ndarray,
    offsets: np.ndarray,
    chosen: np.ndarray | None = None,
    threads: int = 0,
    path: str = "",
) -> np.ndarray:
    """Return approximate scores (n,) float32 of a text query with images.

    Args:
        nearest: (R,) uint16, the centroid of each fragment of N images, by :func:`nearest_centroids`.
        offsets: (N + 1,) int64, image i has the fragments offsets[i] to offsets[i + 1].
        chosen: (n,) int, numbers of the images to score; None: all.

    Raises:
        InputError: the table, the numbers and the offsets are not of these shapes and types, the offsets name fragments
            that are not there, or there is no such item, path or number of threads.
    """
    if not isinstance(nearest, np.ndarray) or nearest.dtype != np.uint16:
        raise InputError(
            "numbers of centroids are an array (..) of uint16, found "
            f"{getattr(nearest, 'dtype', type(nearest).__name__)}"
        )
    nearest = array_of("numbers of centroids", nearest, np.uint16, None)
    offsets, number = checked_offsets(offsets), path_number(path)
    chosen, products, threads = checked_items(chosen, len(offsets) - 1), table.table, thread_count(threads)
    if (
        products.dtype != np.uint8
        or products.ndim != 2
        or len(products) != MOST_CENTROIDS
        or products.shape[1] % _LANES
        or not products.flags.c_contiguous
    ):
        raise InputError("the table of a query's products is one of centroid_table")
    sums = np.empty(len(offsets) - 1 if chosen is None else len(chosen), np.float32)
    if number is None:
        require_stored(offsets, np.arange(len(offsets) - 1) if chosen is None else chosen, len(nearest))
        for i, item in enumerate(range(len(sums)) if chosen is None else chosen):
            sums[i] = products[nearest[offsets[item] : offsets[item + 1]]].max(0, initial=0).sum(dtype=np.int64)
    else:
        call(
            "is_code_scores", ctypes.c_int(number), products, products.shape[1], nearest, len(nearest), offsets,
            chosen, len(sums), sums, ctypes.c_int(threads),
        )  # fmt: skip
    return sums * np.float32(table.step) + np.float32(table.offset)


def as_items(vectors: np.ndarray, precision: str = "int8") -> StoredFragments:
    """Return vectors (N, d) as items of one row each; raises InputError as :func:`encode_rows`."""
    values, scales = encode_rows(vectors, precision)
    return StoredFragments(values, scales, np.arange(len(values) + 1, dtype=np.int64), precision, np.shape(vectors)[1])


def _require_centroids(count: int) -> None:
    if not 1 <= count <= MOST_CENTROIDS:
        raise InputError(f"there must be 1 to {MOST_CENTROIDS} centroids, found {count}")
