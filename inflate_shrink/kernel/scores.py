"""Scores of queries with stored items: Eq. 5 for a collection, exactly, on the CPU."""

from __future__ import annotations

import ctypes
from typing import Sequence

import numpy as np

from ..errors import InputError
from .compiled import call, not_stored, path_number, thread_count
from .stored import PRECISIONS, StoredFragments, checked, decode_rows, round_to

BEST_ROW, BEST_FRAGMENT, _EACH = 0, 1, 2  # Reduce of csrc/problem.h
_BLOCK = 1 << 22  # products at a time, without the library


def scores(
    queries: Sequence[np.ndarray],
    rows: StoredFragments,
    chosen: np.ndarray | None = None,
    stored: str = "image",
    threads: int = 0,
    path: str = "",
) -> np.ndarray:
    """Score every query with every item by late interaction.

    Args:
        queries: float32 (l, d), the fragments that count; rounded to the precision of the rows.
        rows: N items.
        chosen: (n,) int, numbers of the items to score; None: all.
        stored: "image", the items are images and the queries texts (t2i): each query fragment's best row, summed over
            the query; "text" (i2t): each row's best query fragment, summed over the item.
        threads: 0: all cores this process may use.
        path: one of :func:`.compiled.paths`; "": the best.

    Returns:
        (Q, n) float32; -infinity for an item without rows, and with ``stored="text"`` for a query without fragments.

    Raises:
        InputError: a query has another dimension or is not finite, the rows are not those of their precision and
            dimension, their offsets name rows that are not there, or there is no such item, path or number of threads.
    """
    rows, chosen, queries = checked(rows, chosen, *queries)
    if stored not in ("image", "text"):
        raise InputError(f"stored items are images or texts: give 'image' or 'text', not {stored!r}")
    number, threads = path_number(path), thread_count(threads)
    fragments = np.concatenate([np.empty((0, rows.dim), np.float32), *queries])
    if not np.isfinite(fragments).all():
        raise InputError("a query holds a number that is NaN or infinite")
    if number is None:
        return _with_numpy(queries, rows, chosen, stored)
    lengths = [len(query) for query in queries]
    starts, offsets = np.cumsum([0, *lengths], dtype=np.int64), rows.offsets
    reduce = BEST_ROW if stored == "image" else BEST_FRAGMENT
    if one_row_each(offsets) and all(length == 1 for length in lengths):
        reduce = _EACH
    count = len(rows) if chosen is None else len(chosen)
    out = np.empty((len(queries), count), np.float32)
    bias, row_bytes = _bias(fragments, rows), rows.values.shape[1] * rows.values.itemsize
    precision, mode, path_index = (ctypes.c_int(value) for value in (PRECISIONS.index(rows.precision), reduce, number))
    call(
        "is_scores", path_index, precision, mode, fragments, bias, starts, len(queries), rows.dim,
        rows.values, rows.scales, len(rows.values), offsets, row_bytes, chosen, count, out, ctypes.c_int(threads),
    )  # fmt: skip
    # What the center adds is the same for all items, but where each row chooses its best fragment.
    if rows.center is not None and reduce != BEST_FRAGMENT:
        out += np.array([bias[begin:end].sum() for begin, end in zip(starts, starts[1:])], np.float32)[:, None]
    return out


def one_row_each(offsets: np.ndarray) -> bool:
    """Return whether offsets (N + 1,) are the numbers from 0 to N."""
    return bool(offsets[0] == 0 and offsets[-1] == len(offsets) - 1 and (offsets[1:] > offsets[:-1]).all())


def _bias(fragments: np.ndarray, rows: StoredFragments) -> np.ndarray:
    """Return (l,) float32: what the rows' center adds to each fragment's products."""
    return np.zeros(len(fragments), np.float32) if rows.center is None else fragments @ rows.center


def require_stored(offsets: np.ndarray, chosen: np.ndarray, stored: int) -> None:
    """Raise InputError if the rows of the chosen items are not all among so many: the library does so itself."""
    begins, ends = offsets[chosen], offsets[chosen + 1]
    if not ((0 <= begins) & (begins <= ends) & (ends <= stored)).all():
        raise not_stored()


def _with_numpy(queries: list[np.ndarray], rows: StoredFragments, chosen: np.ndarray | None, stored: str) -> np.ndarray:
    """Compute the same scores without the library, some items at a time."""
    chosen = np.arange(len(rows)) if chosen is None else chosen
    require_stored(rows.offsets, chosen, len(rows.values))
    rounded = [round_to(query, rows.precision) for query in queries]
    out = np.full((len(queries), len(chosen)), -np.inf, np.float32)
    counts = rows.offsets[1:][chosen] - rows.offsets[:-1][chosen]
    filled = np.flatnonzero(counts)
    fragments = max((len(query) for query in queries), default=1)
    at_once = max(1, _BLOCK // max(1, fragments * int(counts.max(initial=1))))
    for begin in range(0, len(filled), at_once):
        block = filled[begin : begin + at_once]
        lengths = counts[block]
        starts = np.cumsum(lengths) - lengths
        where = np.repeat(rows.offsets[chosen[block]] - starts, lengths) + np.arange(lengths.sum())
        vectors = decode_rows(
            rows.values[where], None if rows.scales is None else rows.scales[where], rows.precision, rows.dim
        )
        for q, query in enumerate(rounded):
            products = vectors @ query.T + _bias(queries[q], rows)
            if stored == "image":
                out[q, block] = np.maximum.reduceat(products, starts).sum(1)
            elif len(query):
                out[q, block] = np.add.reduceat(products.max(1), starts)
    return out
