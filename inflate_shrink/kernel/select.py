"""Picking the best of many scores."""

from __future__ import annotations

import numpy as np

from .compiled import call, library


def best_rows(scores: np.ndarray, count: int) -> np.ndarray:
    """Rows of the ``count`` highest of the scores (n,), or of all, ascending; of equal scores the lower rows. No NaN."""
    scores = np.ascontiguousarray(scores, np.float32)
    count = min(count, len(scores))
    if count in (0, len(scores)):
        return np.arange(count)
    if library() is None:
        least = np.partition(scores, -count)[-count]
        above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
        return np.sort(np.concatenate([above, equal[: count - len(above)]]))
    rows = np.empty(count, np.int64)
    call("is_best_rows", scores, len(scores), count, rows)
    return rows
