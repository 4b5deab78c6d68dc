"""What all kinds of indexes have in common: the interface that ``tools/search.py`` knows."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

import numpy as np

from ..data.text import CaptionTokenizer
from ..errors import InputError
from .ranking import Hit


class Searchable(ABC):
    """An opened index, or an engine that holds one; len() is how many items it holds.

    Each kind takes the options of a search that it has, by the names of :meth:`.searcher.Searcher.search`, and refuses
    the others with InputError.

    Attributes:
        holds: "images" or "captions".
    """

    holds = "images"

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def tokenizer(self) -> CaptionTokenizer:
        """Return what reads the texts that the index is searched with."""

    @abstractmethod
    def describe(self) -> str:
        """Return in some lines what the index holds and what it was made of."""

    @abstractmethod
    def search(self, query: str, k: int = 10, **options) -> list[Hit]:
        """Return the ``k`` images that fit a text best, or all if there are fewer."""

    @abstractmethod
    def search_image(self, regions: np.ndarray, k: int = 10, **options) -> list[Hit]:
        """Return the ``k`` captions that fit an image best, or the images most like it, given its regions
        (m, region_dim), or all if there are fewer.
        """

    @abstractmethod
    def describe_photo(self, file: str | os.PathLike, backbone: str = "", detector: str = "") -> np.ndarray:
        """Return the regions (m, region_dim) of a photo's file, for :meth:`search_image`.

        The networks that describe it are where they were when the data set was made, or given.
        """

    @abstractmethod
    def search_like(self, item: str, k: int = 10, **options) -> list[Hit]:
        """Return the ``k`` images most like one of the index, given its id, or all others if there are fewer."""

    def remarks(self, query: str) -> list[str]:
        """Return a line for all that the model does not read of a text: words that it lacks, and what is cut off."""
        unknown, said = self.tokenizer.unknown_words(query), []
        if unknown:
            said.append(f"not in the vocabulary, and read as an unknown word: {', '.join(unknown)}")
        if self.tokenizer.is_cut(query):
            said.append(
                f"the query is longer than the {self.tokenizer.length} positions that the model reads; "
                "the rest is cut off"
            )
        return said


def open_searchable(
    directory: str | os.PathLike, threads: int = 0, backend: str = "", device: str = "cpu", stages: bool = True
) -> Searchable:
    """Open an index of any kind.

    Args:
        threads, backend, device, stages: as of :class:`.searcher.Searcher`; an inverted index runs no encoder, and on one core.

    Raises:
        InputError: the directory is no whole index.
    """
    from .inverted.index import InvertedIndex, is_inverted
    from .searcher import Searcher

    if not is_inverted(directory):
        return Searcher(directory, threads, backend, device, stages)
    if device != "cpu":
        raise InputError(f"{directory}: an inverted index, which is searched on the CPU")
    return InvertedIndex(directory)
