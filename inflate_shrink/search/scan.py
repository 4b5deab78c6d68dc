"""Scores of an index's items, segment after segment: the items are numbered through, deleted ones among them."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from ..kernel import Rows, code_scores, scores
from .index import Index


class Scan:
    """The items of one commit of an index.

    Args:
        threads: 0: all cores this process may use.
    """

    def __init__(self, index: Index, threads: int = 0):
        self.commit, self._segments, self._threads = index.commit, index.segments, threads
        self._find = index.find
        self._starts = np.cumsum([0, *map(len, index.segments)])  # of each segment's numbers
        self._stored = "image" if index.settings.items == "images" else "text"
        deleted = [np.zeros(len(part), bool) if part.deleted is None else part.deleted for part in index.segments]
        self._live = None if all(part.deleted is None for part in index.segments) else np.flatnonzero(~np.concatenate(deleted))

    def live(self) -> np.ndarray:
        """Numbers of all items that are not deleted, ascending."""
        return np.arange(self._starts[-1]) if self._live is None else self._live

    def numbers(self, ids: Sequence[str]) -> np.ndarray:
        """Numbers of these items, ascending, each once; raises InputError if an id is not in the index."""
        positions = self._find(list(ids))
        return np.unique(self._starts[positions[:, 0]] + positions[:, 1])

    def name(self, number: int) -> tuple[str, str]:
        """Id and file of an item."""
        segment = self._segment_of(number)
        row = number - self._starts[segment]
        return self._segments[segment].ids[row], self._segments[segment].files[row]

    def scores(self, field: str, query: np.ndarray, numbers: np.ndarray | None = None) -> np.ndarray:
        """Exact scores (n,) float32 of a query (l, d) with items, by ascending number; None: all, -infinity where deleted."""
        if numbers is None:
            parts = [scores([query], part.rows(field), stored=self._stored, threads=self._threads)[0] for part in self._segments]
            return self._masked(parts)
        parts, bounds = [], np.searchsorted(numbers, self._starts)
        for part, start, begin, end in zip(self._segments, self._starts, bounds, bounds[1:]):
            if begin < end:
                items = numbers[begin:end] - start
                parts.append(scores([query], part.rows(field), items, self._stored, self._threads)[0])
        return np.concatenate([np.empty(0, np.float32), *parts])

    def code_scores(self, field: str, query: np.ndarray, centroids: Rows) -> np.ndarray:
        """Approximate scores (n,) float32 of a text query with all images, by their centroid codes; -infinity where deleted."""
        parts = []
        for part in self._segments:
            codes = part.rows(field)
            parts.append(code_scores(query, centroids, codes.values, codes.offsets, self._threads))
        return self._masked(parts)

    def _masked(self, parts: list[np.ndarray]) -> np.ndarray:
        for part, segment in zip(parts, self._segments):
            if segment.deleted is not None:
                part[segment.deleted] = -np.inf
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])

    def _segment_of(self, number: int) -> int:
        return int(np.searchsorted(self._starts, number, side="right")) - 1
