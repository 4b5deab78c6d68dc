"""Search of an index: exactly, or as a cascade of a cheap first stage and exact scores of its best (Sec. 1).

exact     late interaction (Eq. 5) of the query with every item
cascade   a first stage scores every item, late interaction its ``candidates`` best
            fitted     one vector an item that predicts its exact scores, where it was built with stages (:mod:`.stages`)
            vectors    F's (Eq. 3), where the index was built with an F
            centroids  those nearest to the fragments, where it was built with centroids
          Vectors, and the fragments of an index of F alone, are found by faiss where tools/index.py faiss prepared it.
rerank    the cross-BERT (:mod:`.cross_stage`) orders the best of either anew, where one is given
"""

from __future__ import annotations

import copy
import os
import threading
from pathlib import Path
from typing import Callable, Sequence

import numpy as np

from ..data.text import CaptionTokenizer
from ..errors import InputError
from ..kernel import as_items
from ..kernel.cascade import Budget
from .centroids import read_centroids
from .commit import Commit
from .describe import describe_index
from .encoders import open_encoders
from .index import Index, open_index
from .ranking import Hit, best
from .searchable import Searchable
from .stages import FITTED, FRAGMENTS, STAGES, read_maker

VECTOR, NEAREST = "vector", "codes"  # further fields of an index; NEAREST: numbers of centroids
CENTROIDS = "centroids.npy"  # its constant file
CANDIDATES, RERANKED, RECALL = 500, 20, 0.99
DEVICES = ("cpu", "gpu")
Rerank = Callable[[list[Hit]], list[Hit]]


class Searcher(Searchable):
    """An opened index with the encoders of its queries.

    Threads may share it: each search is of one commit from its beginning to its end, and :meth:`refresh` may be called
    meanwhile.

    Args:
        directory: the index, made by tools/index.py build.
        threads: cores to use; 0: all that this process may use.
        device: where scores are computed, "cpu" or "gpu" (docs/gpu.md); nearest centroids and faiss always on the CPU.
        stages: False leaves a fitted first stage closed: its files may be damaged or missing.
        backend: what runs the encoders, "paddle" or "onnx"; "": onnx where the index has ONNX files, since it starts
            faster.

    Attributes:
        index: :class:`.index.Index` of the commit that is searched; not to be refreshed itself, but by :meth:`refresh`.

    Raises:
        InputError: the directory is no whole index.

    >>> searcher = Searcher(INDEX)
    >>> hits = searcher.search("a red ball left of a box", k=2)
    >>> len(hits), hits[0].rank, hits[0].score >= hits[1].score
    (2, 1, True)
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        threads: int = 0,
        backend: str = "",
        device: str = "cpu",
        stages: bool = True,
    ):
        self.directory, self._threads, self._backend = Path(directory), threads, backend
        if device not in DEVICES:
            raise InputError(f"a device is one of {', '.join(DEVICES)}, found {device!r}")
        if device == "gpu":
            from .device.rows import require_gpu

            require_gpu()
        self._device, index = device, open_index(directory, () if stages else (FITTED, STAGES))
        fields = index.settings.fields
        if FRAGMENTS not in fields:
            raise InputError(f"{self.directory}: has no field {FRAGMENTS}; it has {', '.join(fields)}")
        self._has_centroids, self._vectors = NEAREST in fields, VECTOR if VECTOR in fields else FRAGMENTS
        self._lock = threading.Lock()  # guards refresh
        self._encoders = open_encoders(index, threads, backend)
        self._maker = read_maker(index) if stages and FITTED in fields and device == "cpu" else None
        self._commit = Commit(index, self._vectors, threads, device, self._maker)
        self._centroids = None
        if self._has_centroids:
            self._centroids = as_items(read_centroids(self.directory / CENTROIDS, fields[FRAGMENTS].dim))

    def __len__(self) -> int:
        return len(self.index)

    @property
    def index(self) -> Index:
        """Return the index at the commit that searches see, which :meth:`refresh` replaces."""
        return self._commit.index

    @property
    def modes(self) -> tuple[str, ...]:
        """Return the modes that this index can be searched by, the default one first."""
        return self._modes(self._commit)

    def refresh(self) -> bool:
        """Move to the index's latest commit, if there is a newer one.

        Searches that run meanwhile end in the one they began with.
        """
        with self._lock:
            index = copy.copy(self.index)
            if not index.refresh():
                return False
            self._commit = Commit(index, self._vectors, self._threads, self._device, self._maker)
            return True

    def search(
        self,
        query: str,
        k: int = 10,
        mode: str = "",
        candidates: int | None = None,
        only: Sequence[str] | None = None,
        rerank: Rerank | None = None,
        reranked: int = RERANKED,
        recall: float | None = None,
    ) -> list[Hit]:
        """Return the ``k`` images that fit a text best, or all if there are fewer; of equal ones the first of the index
        first.

        Args:
            mode: one of :attr:`modes`; "": the first.
            candidates: that a cascade scores exactly; None: as many as find ``recall`` by a fitted first stage, or
                CANDIDATES by another one.
            only: ids to choose from.
            recall: the share of the exact best that a fitted first stage is to find, as was measured when the index was
                built; None: RECALL; 1: all are scored.
            rerank: orders so many hits anew, ``reranked`` or ``k`` if that is more, before the ``k`` best are taken.

        Raises:
            InputError: the index holds captions, the query is empty, ``k`` or ``candidates`` is below 1, the index
                cannot be searched in this mode, or it has no item of an id.
        """
        self._require("images", "search it with an image")
        hits = self.search_fragments(
            *self.encode(query, mode), max(k, reranked) if rerank and k > 0 else k, mode, candidates, only, recall
        )
        return rerank(hits)[:k] if rerank else hits

    def search_image(
        self,
        regions: np.ndarray,
        k: int = 10,
        mode: str = "",
        candidates: int | None = None,
        only: Sequence[str] | None = None,
    ) -> list[Hit]:
        """Return the ``k`` captions that fit an image best, or of an index of images the images most like it: as
        :meth:`search`.

        Args:
            regions: (m, region_dim) of the image, as its data set holds them or :meth:`describe_photo` gives them.

        Raises:
            InputError: an index of images that does not keep the encoder of images, or keeps one of other weights, or
                as of :meth:`search`.
        """
        recall = 1.0 if self._maker and candidates is None else None  # budgets were measured for texts
        return self.search_fragments(*self.encode_image(regions, mode), k, mode, candidates, only, recall)

    def describe_photo(self, file: str | os.PathLike, backbone: str = "", detector: str = "") -> np.ndarray:
        """Return the regions (m, region_dim) float32 of a photo's file, for :meth:`search_image`.

        It is described by the networks and options that described the photos of the index's data.

        Args:
            backbone, detector: files of the networks, where they have moved since; opened at the first use.

        Raises:
            InputError: the index does not record how its photos were described, a network is missing or another one, or
                the file is no photo.
        """
        from ..extract.record import read_photo  # imports Pillow, which other searches do without

        return self._encoders.describe(read_photo(file), str(file), backbone, detector)

    def describe_photo_data(self, data: bytes, where: str) -> np.ndarray:
        """Return the regions of a photo's bytes, as :meth:`describe_photo`; ``where``: what messages call it."""
        return self._encoders.describe(data, where)

    @property
    def takes_photos(self) -> bool:
        """Return whether it may be searched by a new photo: it records what describes one and keeps what encodes it."""
        return self._encoders.takes_photos

    def search_like(
        self, item: str, k: int = 10, mode: str = "", candidates: int | None = None, only: Sequence[str] | None = None
    ) -> list[Hit]:
        """Return the ``k`` images most like one of the index, which is left out: as :meth:`search`, its stored
        fragments being the query.

        No encoder is needed. An image's fragments are summed over, as a text's are: how well the found image covers
        what is in the given one.

        Args:
            item: id of the image.

        Raises:
            InputError: the index holds captions or has no such id, or as of :meth:`search`.
        """
        self._require("images", "the like of an item is found in an index of images")
        commit = self._commit
        (number,) = commit.sweep.numbers([item])
        vector = commit.sweep.fragments(VECTOR, number)[0] if self._needs_vector(mode) else None
        # the image itself, which is usually the first, is one more
        fragments, recall = commit.sweep.fragments(FRAGMENTS, number), 1.0 if self._maker else None
        hits = self._search(commit, fragments, vector, k + 1 if k > 0 else k, mode, candidates, only, recall)
        others = [hit for hit in hits if hit.id != item]
        return [hit._replace(rank=rank) for rank, hit in enumerate(others[:k], 1)]

    def encode(self, query: str, mode: str = "") -> tuple[np.ndarray, np.ndarray | None]:
        """Return a text's fragments (l, d) float32, and F's vector (d,) where the index has such a field and the mode
        needs it.
        """
        self._require("images", "search it with an image")
        return self._encoders.text(query, self._needs_vector(mode))

    def encode_image(self, regions: np.ndarray, mode: str = "") -> tuple[np.ndarray, np.ndarray | None]:
        """Return the same of an image, given its regions (m, region_dim); raises InputError as :meth:`search_image`."""
        return self._encoders.image(regions, self._needs_vector(mode))

    def _needs_vector(self, mode: str) -> bool:
        return self._vectors == VECTOR and mode != "exact"

    @property
    def holds(self) -> str:
        """Return "images" or "captions"."""
        return self.index.settings.holds

    @property
    def tokenizer(self) -> CaptionTokenizer:
        """Return the tokenizer of the encoder of queries; raises InputError if the index holds captions."""
        self._require("images", "search it with an image")
        return self._encoders.tokenizer

    def describe(self) -> str:
        """Return the index's items, fields, models and data, a line each."""
        return describe_index(self.index)

    def search_fragments(
        self,
        fragments: np.ndarray,
        vector: np.ndarray | None = None,
        k: int = 10,
        mode: str = "",
        candidates: int | None = None,
        only: Sequence[str] | None = None,
        recall: float | None = None,
    ) -> list[Hit]:
        """Search as :meth:`search` does with an encoded query: fragments (l, d) float32 and, where the first stage
        needs it, F's vector (d,).
        """
        return self._search(self._commit, fragments, vector, k, mode, candidates, only, recall)

    def _search(
        self,
        commit: Commit,
        fragments: np.ndarray,
        vector: np.ndarray | None,
        k: int,
        mode: str,
        candidates: int | None,
        only: Sequence[str] | None,
        recall: float | None,
    ) -> list[Hit]:
        modes = self._modes(commit)
        mode = mode or modes[0]
        counts = [k] if candidates is None else [k, candidates]
        if min(counts) < 1:
            raise InputError(f"k and candidates must be 1 or more, found {' and '.join(map(str, counts))}")
        if recall is not None and not 0 < recall <= 1:
            raise InputError(f"a recall is a share of the best, above 0 and at most 1; found {recall}")
        if mode != "exact" and mode not in modes:
            raise InputError(
                f"{self.directory}: cannot be searched by {mode!r}, only by {' or '.join(modes)}; "
                "tools/index.py build --stages, --first or --centroids makes one for a cascade"
            )
        sweep, chosen = commit.sweep, None if only is None else commit.sweep.numbers(only)
        if mode == "cascade" and self._maker:
            budget = Budget(max(k, candidates)) if candidates else commit.budget(k, recall or RECALL)
            if budget and budget.first < (len(commit.index) if chosen is None else len(chosen)):
                return commit.search_stages(fragments, k, budget, chosen)
        elif mode == "cascade":
            if recall is not None:
                raise InputError(
                    f"{self.directory}: its first stage was not measured; give a number of candidates, "
                    "or build it with --stages"
                )
            n = max(k, candidates or CANDIDATES)
            if self._has_centroids:
                chosen = commit.nearest(NEAREST, fragments, self._centroids, n, chosen)
            else:
                chosen = commit.nearest_vectors(fragments if vector is None else vector[None], n, chosen)
        scores = sweep.scores(FRAGMENTS, fragments, chosen)
        numbers = best(scores, min(k, len(commit.index) if chosen is None else len(chosen)))
        return [
            commit.hit(rank, scores[i], int(i if chosen is None else chosen[i])) for rank, i in enumerate(numbers, 1)
        ]

    def _modes(self, commit: Commit) -> tuple[str, ...]:
        has_first = self._maker or self._has_centroids or self._vectors == VECTOR or commit.faiss
        return ("cascade", "exact") if has_first else ("exact",)

    def _require(self, held: str, instead: str) -> None:
        if self.holds != held:
            raise InputError(f"{self.directory}: an index of {self.holds}; {instead}")
