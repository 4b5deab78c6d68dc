"""A pushed index, searched in Qdrant by texts or images as :class:`..searcher.Searcher` searches the index itself."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ...data.text import CaptionTokenizer
from ...errors import InputError
from ..ranking import Hit
from ..searchable import Searchable
from ..searcher import CANDIDATES, VECTOR, Searcher
from .collection import QdrantCollection


class QdrantSearcher(Searchable):
    """A collection with the encoders of an index that was pushed there, or of another one of the same models.

    Raises:
        InputError: the collection is not of the models of the index, or as of
            :meth:`.collection.QdrantCollection.about`.
    """

    def __init__(self, collection: QdrantCollection, encoders: Searcher):
        collection.require_model(encoders.index.settings)
        self._collection, self._encoders, self.holds = collection, encoders, encoders.holds

    def __len__(self) -> int:
        return self._collection.count()

    @property
    def tokenizer(self) -> CaptionTokenizer:
        """Return the tokenizer of the encoder of queries."""
        return self._encoders.tokenizer

    def describe(self) -> str:
        """Return where the collection is and what it holds, in a line."""
        fields = ", ".join(f"{name} of {dim} dimensions" for name, dim in self._collection.layout()[0].items())
        return f"{self._collection.to}: collection {self._collection.name} of {len(self)} {self.holds}: {fields}"

    def search(
        self, query: str, k: int = 10, mode: str = "", candidates: int = CANDIDATES, only: Sequence[str] | None = None
    ) -> list[Hit]:
        """Return the ``k`` images that fit a text best, as :meth:`..searcher.Searcher.search`; ids of ``only`` that are
        not there do not count.
        """
        return self._find(self._encoders.encode(query, mode), k, candidates, only)

    def search_image(
        self,
        regions: np.ndarray,
        k: int = 10,
        mode: str = "",
        candidates: int = CANDIDATES,
        only: Sequence[str] | None = None,
    ) -> list[Hit]:
        """Return the ``k`` captions that fit an image best, given its regions (m, region_dim)."""
        return self._find(self._encoders.encode_image(regions, mode), k, candidates, only)

    def describe_photo(self, file: str | os.PathLike, backbone: str = "", detector: str = "") -> np.ndarray:
        """Describe a photo as the index's data set was, see :meth:`..searcher.Searcher.describe_photo`."""
        return self._encoders.describe_photo(file, backbone, detector)

    def search_like(self, item: str, k: int = 10, **options) -> list[Hit]:
        """Raise InputError: fragments are not read back from Qdrant."""
        raise InputError(
            f"{self._collection.to}: Qdrant is searched by texts and images; find what is like an image in its index"
        )

    def _find(
        self, encoded: tuple[np.ndarray, np.ndarray | None], k: int, candidates: int, only: Sequence[str] | None
    ) -> list[Hit]:
        fragments, vector = encoded
        return self._collection.search(
            fragments, k, vector if VECTOR in self._collection.layout()[0] else None, candidates, only
        )
