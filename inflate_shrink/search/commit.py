"""One commit of an index, as a search sees it from its beginning to its end."""

from __future__ import annotations

import os
import threading
from functools import cached_property

import numpy as np

from ..kernel import StoredFragments, best_positions
from ..kernel.cascade import Budget, Cascade, CascadePart, VectorMaker
from .faiss_vectors import FaissVectors, open_faiss
from .index import Index
from .ranking import Hit
from .stages import FITTED, FRAGMENTS, read_budgets
from .sweep import Sweep


class Commit:
    """An index that never changes, with what scores it; threads may share it.

    Args:
        index: opened at its commit, not to be refreshed.
        vectors: the field that faiss searches.
        threads, device: as of :class:`.searcher.Searcher`.
        maker: of the vectors of the fitted stage, where it is to be used.
    """

    def __init__(self, index: Index, vectors: str, threads: int, device: str, maker: VectorMaker | None = None):
        self.index, self.sweep, self._vectors = index, Sweep(index, threads, device), vectors
        self._lock, self._opened = threading.Lock(), False
        self._budgets = read_budgets(index) if maker else None
        if maker and index.segments:
            parts = [
                CascadePart(segment.stored(FITTED), segment.stored(FRAGMENTS), skipped=segment.deleted)
                for segment in index.segments
            ]
            self._cascade = Cascade(maker, parts, threads=threads)

    @property
    def faiss(self) -> FaissVectors | None:
        """Return the vectors' sidecar, opened at the first use, or None where there is none."""
        with self._lock:
            if not self._opened:
                self._faiss, self._opened = open_faiss(self.index, self._vectors), True
            return self._faiss

    def budget(self, k: int, recall: float) -> Budget | None:
        """Return how many candidates of the fitted stage find that share of the k best; None: all, or nobody knows."""
        return self._budgets.choose(k, recall) if self._budgets else None

    def search_stages(self, fragments: np.ndarray, k: int, budget: Budget, chosen: np.ndarray | None) -> list[Hit]:
        """Return the ``k`` best of a text's fragments (l, d), or of some items' numbers, by the fitted stage."""
        skipped = None
        if chosen is not None:
            skipped = [np.ones(len(segment), bool) for segment in self.index.segments]
            for _, number, own in self.sweep.items.numbered_parts(chosen):
                skipped[number][own] = False
        found = self._cascade.search(fragments, k, budget, skipped=skipped)
        ranked = zip(found.scores.tolist(), found.numbers.tolist())
        return [self.hit(rank, score, number) for rank, (score, number) in enumerate(ranked, 1)]

    def nearest(
        self, field: str, fragments: np.ndarray, centroids: StoredFragments, n: int, chosen: np.ndarray | None
    ) -> np.ndarray:
        """Return the numbers of the ``n`` best items, of all or of some, by the centroids of their fragments,
        ascending.
        """
        if self._are_few(n, chosen):
            return self.sweep.items.live if chosen is None else chosen
        return _best_of(self.sweep.centroid_scores(field, fragments, centroids, chosen), n, chosen)

    def nearest_vectors(self, query: np.ndarray, n: int, chosen: np.ndarray | None) -> np.ndarray:
        """Return the same by the vectors of F, or what else has one row an item, given a query (1, d)."""
        if self._are_few(n, chosen):
            return self.sweep.items.live if chosen is None else chosen
        if self.faiss and chosen is None:
            found = self.faiss.search(query, n)[0][0]
            return np.sort(found[found >= 0])
        return _best_of(self.sweep.scores(self._vectors, query, chosen), n, chosen)

    def _are_few(self, n: int, chosen: np.ndarray | None) -> bool:
        return n >= (len(self.index) if chosen is None else len(chosen))

    def hit(self, rank: int, score: float, number: int) -> Hit:
        """Name the item of a number."""
        item, file = self.sweep.items.name(number)
        return Hit(rank, float(score), item, os.path.join(self._root, file) if file and self._root else file)

    @cached_property
    def _root(self) -> str:
        return self.index.image_root


def _best_of(scores: np.ndarray, n: int, chosen: np.ndarray | None) -> np.ndarray:
    rows = best_positions(scores, n)
    return rows if chosen is None else chosen[rows]
