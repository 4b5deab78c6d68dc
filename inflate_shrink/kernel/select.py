"""Picking the best of many scores."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from .compiled import call, library
from .stored import array_of


def best_positions(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of the ``count`` highest of the scores (n,), or of all, ascending; of equal scores the lower
    positions.

    NaN, as a damaged file may hold it, is above or below all others. Raises InputError if the scores are none or
    ``count`` is negative.
    """
    scores = array_of("scores", scores, np.float32, None)
    if not isinstance(count, (int, np.integer)) or count < 0:
        raise InputError(f"the number of best scores must be 0 or more, found {count}")
    count = min(int(count), len(scores))
    if count in (0, len(scores)):
        return np.arange(count)
    if library() is None:
        scores = np.where(np.isnan(scores), -np.inf, scores)
        least = np.partition(scores, -count)[-count]
        above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
        return np.sort(np.concatenate([above, equal[: count - len(above)]]))
    rows = np.empty(count, np.int64)
    call("is_best_rows", scores, len(scores), count, rows)
    return rows
