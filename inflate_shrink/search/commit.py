"""One commit of an index, as a search sees it from its beginning to its end."""

from __future__ import annotations

import threading
from pathlib import Path

from .faiss_vectors import FaissVectors, open_faiss
from .index import Index
from .ranking import Hit
from .sweep import Sweep


class Commit:
    """An index that never changes, with what scores it; threads may share it.

    Args:
        index: opened at its commit, not to be refreshed.
        vectors: the field that faiss searches.
        threads, device: as of :class:`.searcher.Searcher`.
    """

    def __init__(self, index: Index, vectors: str, threads: int, device: str):
        self.index, self.sweep, self._vectors = index, Sweep(index, threads, device), vectors
        self._lock, self._opened = threading.Lock(), False

    @property
    def faiss(self) -> FaissVectors | None:
        """Return the vectors' sidecar, opened at the first use, or None where there is none."""
        with self._lock:
            if not self._opened:
                self._faiss, self._opened = open_faiss(self.index, self._vectors), True
            return self._faiss

    def hit(self, rank: int, score: float, number: int) -> Hit:
        """Name the item of a number."""
        item, file = self.sweep.items.name(number)
        root = self.index.image_root
        return Hit(rank, float(score), item, str(Path(root, file)) if file and root else file)
