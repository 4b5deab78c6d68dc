"""Scoring an index's items, segment after segment: the items are numbered through, deleted ones among them."""

from __future__ import annotations

from typing import Callable, Sequence

import numpy as np

from ..kernel import StoredFragments, centroid_scores, centroid_table, decode_rows, scores
from .index import Index, Segment


class Sweep:
    """The items of one commit of an index.

    Args:
        threads: 0: all cores this process may use.
    """

    def __init__(self, index: Index, threads: int = 0):
        self.commit, self._segments, self._threads = index.commit, index.segments, threads
        self._find = index.find
        self._starts = np.cumsum([0, *map(len, index.segments)])  # of each segment's numbers
        self._side = "image" if index.settings.holds == "images" else "text"
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

    def fragments(self, field: str, number: int) -> np.ndarray:
        """Return the stored fragments (l, d) float32 of an item, with the error that their precision brings."""
        segment = self._segment_of(number)
        stored, row = self._segments[segment].stored(field), number - self._starts[segment]
        rows = slice(stored.offsets[row], stored.offsets[row + 1])
        return decode_rows(stored.values[rows], None if stored.scales is None else stored.scales[rows], stored.precision, stored.dim, stored.center)

    def scores(self, field: str, query: np.ndarray, numbers: np.ndarray | None = None) -> np.ndarray:
        """Exact scores (n,) float32 of a query (l, d) with items, by ascending number; None: all, -infinity where deleted."""
        return self._each_segment(numbers, lambda part, chosen: scores([query], part.stored(field), chosen, self._side, self._threads)[0])

    def centroid_scores(self, field: str, query: np.ndarray, centroids: StoredFragments, numbers: np.ndarray | None = None) -> np.ndarray:
        """Approximate scores of a text query, by the nearest centroids of the images' fragments."""
        table = centroid_table(query, centroids, self._threads)

        def of_part(part: Segment, chosen: np.ndarray | None) -> np.ndarray:
            nearest = part.stored(field)
            return centroid_scores(table, nearest.values, nearest.offsets, chosen, self._threads)

        return self._each_segment(numbers, of_part)

    def _each_segment(self, numbers: np.ndarray | None, score: Callable[[Segment, np.ndarray | None], np.ndarray]) -> np.ndarray:
        if numbers is None:
            parts = [score(part, None) for part in self._segments]
            for part, segment in zip(parts, self._segments):
                if segment.deleted is not None:
                    part[segment.deleted] = -np.inf
        else:
            bounds = np.searchsorted(numbers, self._starts)
            slices = zip(self._segments, self._starts, bounds, bounds[1:])
            parts = [score(part, numbers[begin:end] - start) for part, start, begin, end in slices if begin < end]
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])

    def _segment_of(self, number: int) -> int:
        return int(np.searchsorted(self._starts, number, side="right")) - 1
