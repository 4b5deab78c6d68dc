"""How near one array of scores is to the exact one, and how near any single vector of a rank can come."""

from __future__ import annotations

from typing import Sequence

import numpy as np


def correlation(found: np.ndarray, exact: np.ndarray) -> float:
    """Return the correlation over items of two arrays of scores (queries, items), the mean over queries.

    >>> round(correlation(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]])), 3)
    0.5
    """
    found, exact = (side - side.mean(1, keepdims=True) for side in (found, exact))
    products = (found * exact).sum(1), (found * found).sum(1), (exact * exact).sum(1)
    return float((products[0] / np.sqrt(np.maximum(products[1] * products[2], 1e-30))).mean())


def share_of_best(found: np.ndarray, exact: np.ndarray, candidates: Sequence[int], best: int = 10) -> list[float]:
    """Return, for each number of candidates, the share of the ``best`` exact items of a query that are among so many
    best of ``found``, the mean over queries. Both are scores (queries, items).

    >>> share_of_best(np.array([[4.0, 3.0, 2.0, 1.0]]), np.array([[4.0, 1.0, 3.0, 2.0]]), [1, 2, 3], best=2)
    [0.5, 0.5, 1.0]
    """
    top = np.argsort(-exact, axis=1, kind="stable")[:, :best]
    ranks = np.argsort(np.argsort(-found, axis=1, kind="stable"), axis=1)
    ranks = np.take_along_axis(ranks, top, axis=1)
    return [float((ranks < count).mean()) for count in candidates]


def ceiling(exact: np.ndarray, ranks: Sequence[int]) -> list[np.ndarray]:
    """Return, for each rank, the scores (queries, items) nearest to ``exact`` that single vectors of so many numbers
    can give: its truncated singular value decomposition.

    >>> ceiling(np.array([[2.0, 0.0], [0.0, 1.0]]), [1])[0].round(3).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """
    left, singular, right = np.linalg.svd(exact, full_matrices=False)
    return [(left[:, :rank] * singular[:rank]) @ right[:rank] for rank in ranks]
