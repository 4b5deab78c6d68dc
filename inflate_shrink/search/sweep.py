"""Scoring the items of an index one after another, exactly or by their nearest centroids."""

from __future__ import annotations

import threading
from typing import Callable, Sequence

import numpy as np

from ..kernel import StoredFragments, centroid_scores, centroid_table, decode_rows, scores
from .index import Index, Numbering, Segment


class Sweep:
    """The items of one commit of an index, by number (:class:`.index.Numbering`).

    Args:
        threads: cores to use; 0: all that this process may use.
        device: "cpu", or "gpu" for the exact scores by Paddle's operators; threads take turns there.
    """

    def __init__(self, index: Index, threads: int = 0, device: str = "cpu"):
        self.items, self._find, self._threads = Numbering(index.segments), index.find, threads
        # The rows by segment and field, copied there at the first use.
        self._on_gpu = {} if device == "gpu" else None
        self._turn = threading.Lock()
        self._side = "image" if index.settings.holds == "images" else "text"

    def numbers(self, ids: Sequence[str]) -> np.ndarray:
        """Return the numbers of these items, ascending, each once; raises InputError if an id is not in the index."""
        return np.unique(self.items.numbers(self._find(list(ids))))

    def fragments(self, field: str, number: int) -> np.ndarray:
        """Return the stored fragments (l, d) float32 of an item, with the error that their precision brings."""
        segment, own = self.items.place(number)
        stored = segment.stored(field)
        rows = slice(stored.offsets[own], stored.offsets[own + 1])
        return decode_rows(
            stored.values[rows],
            None if stored.scales is None else stored.scales[rows],
            stored.precision,
            stored.dim,
            stored.center,
        )

    def scores(self, field: str, query: np.ndarray, numbers: np.ndarray | None = None) -> np.ndarray:
        """Return the exact scores (n,) float32 of a query (l, d) with items; None: all of them, -infinity where
        deleted.
        """
        return self._scores(numbers, lambda segment, own: self._exact(segment, field, query, own))

    def centroid_scores(
        self, field: str, query: np.ndarray, centroids: StoredFragments, numbers: np.ndarray | None = None
    ) -> np.ndarray:
        """Return approximate scores of a text query with images, by the nearest centroids of their fragments."""
        table = centroid_table(query, centroids, self._threads)

        def of_segment(segment: Segment, own: np.ndarray | None) -> np.ndarray:
            nearest = segment.stored(field)
            return centroid_scores(table, nearest.values, nearest.offsets, own, self._threads)

        return self._scores(numbers, of_segment)

    def _exact(self, segment: Segment, field: str, query: np.ndarray, own: np.ndarray | None) -> np.ndarray:
        if self._on_gpu is None:
            return scores([query], segment.stored(field), own, self._side, self._threads)[0]
        from .device.rows import DeviceRows

        with self._turn:
            if (segment, field) not in self._on_gpu:
                self._on_gpu[segment, field] = DeviceRows(segment.stored(field))
            return self._on_gpu[segment, field].scores([query], own, self._side)[0]

    def _scores(
        self, numbers: np.ndarray | None, score: Callable[[Segment, np.ndarray | None], np.ndarray]
    ) -> np.ndarray:
        if numbers is not None:
            out = np.empty(len(numbers), np.float32)
            for places, segment, own in self.items.parts(numbers):
                out[places] = score(segment, own)
            return out
        parts = [score(segment, None) for segment in self.items.segments]
        for part, segment in zip(parts, self.items.segments):
            if segment.deleted is not None:
                part[segment.deleted] = -np.inf
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])
