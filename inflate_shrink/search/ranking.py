"""What a search answers, and how the best are picked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernel import best_positions


class Hit(NamedTuple):
    """One answer. rank: from 1; file: the image's when it was indexed, or a caption's text, or ""."""

    rank: int
    score: float
    id: str
    file: str


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the positions of the ``k`` highest scores (n,), the highest first; of equal ones the lower first."""
    positions = best_positions(scores, k)
    return positions[np.argsort(-scores[positions], kind="stable")]
