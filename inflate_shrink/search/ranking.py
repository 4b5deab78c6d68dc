"""What a search answers, and how the best are picked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Hit(NamedTuple):
    """One answer. rank: from 1; file: the image's when it was indexed, or a caption's text, or ""."""

    rank: int
    score: float
    id: str
    file: str


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """Rows of the ``k`` highest scores (I,), the highest first; of equal ones the lower row first."""
    k = min(k, len(scores))
    if k == 0:
        return np.empty(0, np.int64)
    least = np.partition(scores, -k)[-k]
    rows = np.flatnonzero(scores >= least)
    return rows[np.argsort(-scores[rows], kind="stable")[:k]]
