"""Search of an index: exactly, or as a cascade of a cheap first stage and exact scores of its best (Sec. 1).

    exact     late interaction (Eq. 5) of the query with every item
    cascade   a first stage scores every item, late interaction its ``candidates`` best
                vectors  F's (Eq. 3), where the index was built with an F
                codes    the centroids of the fragments, where it was built with codes
              Vectors, and the fragments of an index of F alone, are found by faiss where tools/index.py faiss prepared it.
    rerank    the cross-BERT (:mod:`.cross_stage`) orders the best of either anew, where one is given
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Callable, Sequence

import numpy as np

from ..errors import InputError
from ..kernel import Rows, as_items, best_rows
from .encoder.encoders import ImageEncoder, QueryEncoder
from .faiss_vectors import FaissVectors, open_faiss
from .index import open_index
from .ranking import Hit, best
from .scan import Scan

FRAGMENTS, VECTOR, CODES = "fragments", "vector", "codes"  # fields of an index
ENCODER, FIRST_ENCODER, CENTROIDS = "encoder", "first_encoder", "centroids.npy"  # its constant files
CANDIDATES, RERANKED = 500, 20
Rerank = Callable[[list[Hit]], list[Hit]]


class Searcher:
    """An opened index with the encoders of its queries.

    Args:
        directory: of tools/index.py build.
        threads: 0: all cores this process may use.
        backend: of the encoders, "paddle" or "onnx".

    Attributes:
        index: :class:`.index.Index`; :meth:`refresh` moves to its latest commit.

    Raises:
        InputError: the directory is no whole index.

    Example::

        searcher = Searcher("indexes/demo")
        for hit in searcher.search("a red ball left of a box", k=5):
            print(hit.rank, hit.score, hit.id, hit.file)
    """

    def __init__(self, directory: str | os.PathLike, threads: int = 0, backend: str = "paddle"):
        self.directory, self._threads, self._backend = Path(directory), threads, backend
        self.index = open_index(directory)
        fields = self.index.settings.fields
        self._has_codes, self._vectors = CODES in fields, VECTOR if VECTOR in fields else FRAGMENTS
        self._encoders: dict[str, QueryEncoder | ImageEncoder] = {}
        self._centroids = self._read_centroids() if self._has_codes else None
        self._scan = Scan(self.index, threads)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def modes(self) -> tuple[str, ...]:
        """That this index can be searched by, the default one first."""
        return ("cascade", "exact") if self._has_codes or self._vectors == VECTOR or self._faiss else ("exact",)

    def refresh(self) -> bool:
        """Move to the index's latest commit, if there is a newer one."""
        if not self.index.refresh():
            return False
        self._scan = Scan(self.index, self._threads)
        self.__dict__.pop("_faiss", None)
        return True

    def search(
        self,
        query: str,
        k: int = 10,
        mode: str = "",
        candidates: int = CANDIDATES,
        only: Sequence[str] | None = None,
        rerank: Rerank | None = None,
        reranked: int = RERANKED,
    ) -> list[Hit]:
        """The ``k`` images that fit a text best, or all if there are fewer; of equal ones the first of the index first.

        Args:
            mode: one of :attr:`modes`; "": the first.
            candidates: that a cascade scores exactly.
            only: ids to choose from.
            rerank: orders so many hits anew, ``reranked`` or ``k`` if that is more, before the ``k`` best are taken.

        Raises:
            InputError: the index holds captions, the query is empty, ``k`` or ``candidates`` is below 1, the index
                cannot be searched in this mode, or it has no item of an id.
        """
        self._require("images", "search it with an image")
        hits = self.search_fragments(*self.encode(query, mode), max(k, reranked) if rerank and k > 0 else k, mode, candidates, only)
        return rerank(hits)[:k] if rerank else hits

    def search_image(
        self, regions: np.ndarray, k: int = 10, mode: str = "", candidates: int = CANDIDATES, only: Sequence[str] | None = None
    ) -> list[Hit]:
        """The ``k`` captions that fit an image best: as :meth:`search`, in an index of captions.

        Args:
            regions: (m, region_dim) of the image, as its data set holds them.
        """
        self._require("captions", "search it with a text")
        arrays = regions[None], np.array([len(regions)])
        return self.search_fragments(*self._encoded(ImageEncoder, lambda encoder: encoder(*arrays), mode), k, mode, candidates, only)

    def encode(self, query: str, mode: str = "") -> tuple[np.ndarray, np.ndarray | None]:
        """A text's fragments (l, d) float32, and F's vector (d,) where the index has such a field and the mode needs it."""
        return self._encoded(QueryEncoder, lambda encoder: encoder([query]), mode)

    @property
    def text_length(self) -> int:
        """Positions of a query, first and last token included."""
        return self._encoder(QueryEncoder, ENCODER).meta["tokenizer"]["text_length"]

    def is_cut(self, query: str) -> bool:
        """Whether a text is longer than the model reads."""
        self._require("images", "search it with an image")
        return self._encoder(QueryEncoder, ENCODER).is_cut(query)

    def search_fragments(
        self,
        fragments: np.ndarray,
        vector: np.ndarray | None = None,
        k: int = 10,
        mode: str = "",
        candidates: int = CANDIDATES,
        only: Sequence[str] | None = None,
    ) -> list[Hit]:
        """:meth:`search` with an encoded query: fragments (l, d) float32 and, where the first stage needs it, F's vector (d,)."""
        mode = mode or self.modes[0]
        if k < 1 or candidates < 1:
            raise InputError(f"k and candidates must be 1 or more, found {k} and {candidates}")
        if mode != "exact" and mode not in self.modes:
            raise InputError(f"{self.directory}: cannot be searched by {mode!r}, only by {' or '.join(self.modes)}; tools/index.py build --first or --codes makes one for a cascade")
        chosen = None if only is None else self._scan.numbers(only)
        if mode == "cascade":
            chosen = self._candidates(fragments, vector, max(k, candidates), chosen)
        scores = self._scan.scores(FRAGMENTS, fragments, chosen)
        numbers = best(scores, min(k, len(self) if chosen is None else len(chosen)))
        root = self.index.settings.origin["data"]["image_root"]
        return [self._hit(rank, scores[i], int(i if chosen is None else chosen[i]), root) for rank, i in enumerate(numbers, 1)]

    def _candidates(self, fragments: np.ndarray, vector: np.ndarray | None, n: int, chosen: np.ndarray | None) -> np.ndarray:
        """Numbers of the ``n`` best by the first stage, ascending."""
        if n >= (len(self) if chosen is None else len(chosen)):
            return self._scan.live() if chosen is None else chosen
        if self._has_codes:
            scores = self._scan.code_scores(CODES, fragments, self._centroids, chosen)
        else:
            query = fragments if vector is None else vector[None]
            if self._faiss and chosen is None:
                found = self._faiss.search(query, n)[0][0]
                return np.sort(found[found >= 0])
            scores = self._scan.scores(self._vectors, query, chosen)
        rows = best_rows(scores, n)
        return rows if chosen is None else chosen[rows]

    def _encoded(self, kind: type, run: Callable, mode: str) -> tuple[np.ndarray, np.ndarray | None]:
        (fragments,) = run(self._encoder(kind, ENCODER))
        return fragments, run(self._encoder(kind, FIRST_ENCODER))[0][0] if self._vectors == VECTOR and mode != "exact" else None

    def _encoder(self, kind: type, name: str) -> QueryEncoder | ImageEncoder:
        if name not in self._encoders:
            self._encoders[name] = kind(self.directory / name, self._threads, self._backend)
        return self._encoders[name]

    def _require(self, items: str, instead: str) -> None:
        if self.index.settings.items != items:
            raise InputError(f"{self.directory}: an index of {self.index.settings.items}; {instead}")

    def _read_centroids(self) -> Rows:
        path = self.directory / CENTROIDS
        try:
            centroids = np.load(path)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path}: cannot be read ({error}); copy or build the index again") from None
        if centroids.ndim != 2 or centroids.shape[1] != self.index.settings.fields[FRAGMENTS].dim:
            raise InputError(f"{path}: holds numbers of the shape {centroids.shape}, not centroids of the fragments; copy or build the index again")
        return as_items(centroids)

    @cached_property
    def _faiss(self) -> FaissVectors | None:
        return open_faiss(self.index, self._vectors)

    def _hit(self, rank: int, score: float, number: int, root: str) -> Hit:
        item, file = self._scan.name(number)
        return Hit(rank, float(score), item, str(Path(root, file)) if file and root else file)
