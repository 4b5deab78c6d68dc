"""Fit features of queries and vectors of items to exact scores, by ridge regression cut to a rank.

With Z (n, p) the features of n sample queries and Y (n, N) their exact scores with N items, less each query's mean,
ridge regression gives the items' vectors (Z'Z + ridge)^-1 Z'Y. The best r directions of what it predicts are the left
singular vectors of (Z'Z + ridge)^-1/2 Z'Y: in them the normal equations are the identity, so that an item needs its own
scores alone, and one product. A query's mean orders no items. Without it the queries that an item finds are better too:
no query is near to all items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Sequence

import numpy as np

from ..errors import InputError
from ..kernel import StoredFragments, scores
from .features import QueryFeatures

_LEAST = 1e-9  # of the greatest variance: a direction of less holds rounding errors alone
_BLOCK = 1 << 24  # exact scores held at a time
_REFIT_RIDGE = 1e-4  # the features are few by then


@dataclass(frozen=True)
class FitSettings:
    """rank: numbers of a fitted vector, at most. random, seed: as :class:`.features.QueryFeatures` has them, the seed
    also of the rotation. ridge: added to the features' covariance, in units of their mean variance."""

    rank: int = 128
    random: int = 1024
    ridge: float = 0.001
    seed: int = 0

    def __post_init__(self):
        """Raise InputError for a rank below 1, or a ridge that is negative or not finite."""
        if self.rank < 1 or not 0 <= self.ridge < np.inf:
            raise InputError(
                f"fitted vectors: rank {self.rank} and ridge {self.ridge}, expected 1 or more and 0 or more"
            )


@dataclass(frozen=True, eq=False)
class Fit:
    """What is kept of a fit: whoever stores it stores these arrays, and the sample of queries.

    features: of a query. solver: (n, r) float32, which turns the exact scores of an item with the n queries of the
    sample into its vector; center: (r,) float32, of the mean of the sample's items, taken from every vector.
    """

    features: QueryFeatures
    solver: np.ndarray
    center: np.ndarray

    def __post_init__(self):
        """Raise InputError if solver or center are not finite or have other columns than the features."""
        rank = self.features.projection.shape[1]
        for name, array, sizes in (("solver", self.solver, 2), ("center", self.center, 1)):
            fits = array.ndim == sizes and array.shape[-1] == rank and array.dtype == np.float32
            if not fits or not np.isfinite(array).all():
                found = f"{array.dtype} {array.shape}"
                raise InputError(f"fitted vectors: the {name} is {found}, expected finite float32 (.., {rank})")

    @property
    def rank(self) -> int:
        """Return the numbers of a vector."""
        return self.solver.shape[1]

    def vectors(self, exact: np.ndarray) -> np.ndarray:
        """Return the vectors (N, r) float32 of items, given their exact scores (n, N) with the queries of the sample."""
        if exact.ndim != 2 or len(exact) != len(self.solver):
            raise InputError(f"fitted vectors: scores {exact.shape} of {len(self.solver)} queries of the sample")
        return exact.T.astype(np.float32, copy=False) @ self.solver - self.center


def fit(
    queries: Sequence[np.ndarray],
    exact: np.ndarray,
    settings: FitSettings = FitSettings(),
    beside: np.ndarray | None = None,
) -> Fit:
    """Fit features and solver to the exact scores of sample queries with sample items.

    The vectors of the sample's items, and of any others, then come of :meth:`Fit.vectors`.

    Args:
        queries: n sample queries, for each the fragments (l, d) float32 that count.
        exact: (n, N) scores, of the sample's queries with its items.
        beside: (n, b) float32, a further vector of each query, such as F's.

    Raises InputError if the shapes do not fit, or a score is not finite.
    """
    if exact.ndim != 2 or len(exact) != len(queries) or not exact.size:
        raise InputError(
            f"fitted vectors: scores {exact.shape} of {len(queries)} queries; one or more of each are needed"
        )
    if not np.isfinite(exact).all():
        raise InputError("fitted vectors: an exact score is NaN or infinite; an item has no fragments")
    besides = 0 if beside is None else np.shape(beside)[-1]
    features = QueryFeatures(queries[0].shape[-1], settings.random, settings.seed, besides)
    raw = features(queries, beside)
    gram = raw.T.astype(np.float64) @ raw
    gram[np.diag_indices_from(gram)] += settings.ridge * np.trace(gram) / len(gram)
    variance, axes = np.linalg.eigh(gram)
    kept = variance > _LEAST * variance[-1]
    whiten = axes[:, kept] / np.sqrt(variance[kept])  # (p, k)
    white = raw @ whiten.astype(np.float32)
    means = exact.mean(1, dtype=np.float64).astype(np.float32)
    explained = white.T @ (exact - means[:, None])  # (k, N)
    energy, directions = np.linalg.eigh(explained.astype(np.float64) @ explained.T)
    rank = min(settings.rank, exact.shape[1], int((energy > _LEAST * energy[-1]).sum()))
    directions = directions[:, ::-1][:, :rank]
    # Both sides get vectors of one mean length, and a rotation spreads it over all numbers: rounding then costs least.
    singular = np.sqrt(np.maximum(energy[::-1][:rank], 0))
    balance = np.sqrt(singular) * (len(queries) / exact.shape[1]) ** 0.25
    rotation = np.linalg.qr(np.random.default_rng(settings.seed).normal(size=(rank, rank)))[0]
    projection = whiten @ (directions * balance @ rotation)
    solver = white @ (directions / balance @ rotation).astype(np.float32)
    return Fit(replace(features, projection=projection.astype(np.float32)), solver, means @ solver)


def refit(fitted: Fit, queries: Sequence[np.ndarray], exact: np.ndarray, beside: np.ndarray | None = None) -> Fit:
    """Return a fit with the same features, whose vectors come of the scores with other queries, fewer as a rule.

    Features are learned of many queries and some items, once; then each item is scored with few.

    Args:
        queries, beside: n of them, as of :func:`fit`, more than the rank. exact: (n, N), of the sample's items.

    Raises InputError if the shapes do not fit, or a score is not finite.
    """
    if exact.ndim != 2 or len(exact) != len(queries) or not exact.size or not np.isfinite(exact).all():
        raise InputError(f"fitted vectors: scores {exact.shape} of {len(queries)} queries, or one is not finite")
    values = fitted.features(queries, beside)
    gram = values.T.astype(np.float64) @ values
    gram[np.diag_indices_from(gram)] += _REFIT_RIDGE * np.trace(gram) / len(gram)
    solver = np.linalg.solve(gram, values.T).T.astype(np.float32)
    return Fit(fitted.features, solver, exact.mean(1) @ solver)


def fit_items(
    fitted: Fit, exact: Callable[[np.ndarray], np.ndarray], items: int, log: Callable[[int], None] = lambda done: None
) -> np.ndarray:
    """Return the vectors (items, r) float32 of all items, whose exact scores are made in blocks and not kept.

    Args:
        exact: gives the scores (n, b) of the sample's queries with items of these numbers (b,), such as
            :func:`exact_scores`. log: is told how many are done.
    """
    vectors = np.empty((items, fitted.rank), np.float32)
    at_once = max(1, _BLOCK // len(fitted.solver))
    for begin in range(0, items, at_once):
        block = np.arange(begin, min(begin + at_once, items))
        vectors[block] = fitted.vectors(exact(block))
        log(block[-1] + 1)
    return vectors


def exact_scores(
    queries: Sequence[np.ndarray], rows: StoredFragments, stored: str = "image", threads: int = 0
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what :func:`fit_items` takes: exact scores of the queries with stored items, by the kernel."""
    return lambda chosen: scores(queries, rows, chosen, stored, threads)
