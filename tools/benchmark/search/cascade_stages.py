"""What a cascade of a fitted stage is besides a search: a second stage of pooled fragments, and the parts of a query's time."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Sequence

import numpy as np

from inflate_shrink.kernel import StoredFragments, decode_rows, encode_rows
from inflate_shrink.kernel.cascade import Budget, Cascade, CascadePart
from inflate_shrink.search.encoder.encoders import QueryEncoder
from inflate_shrink.search.ranking import Hit
from inflate_shrink.search.searcher import RECALL, Searcher
from inflate_shrink.search.stages import FITTED, FRAGMENTS, read_maker

from .timing import milliseconds

POOLED = 8  # fragments of an image
_ROUNDS = 5  # of clustering
_BLOCK = 2048  # images


class Pooled:
    """The cascade of a searcher's fitted stage, alone, or with a second stage of pooled fragments in memory."""

    def __init__(self, searcher: Searcher, threads: int):
        self._searcher, self._threads = searcher, threads
        segments = searcher.index.segments
        self.parts = [CascadePart(segment.stored(FITTED), segment.stored(FRAGMENTS)) for segment in segments]
        self._cascade = Cascade(read_maker(searcher.index), self.parts, threads=threads)

    def build(self) -> float:
        """Make the second stage; return the bytes an image that it takes."""
        self.parts = [replace(part, pooled=pooled_rows(part.rows)) for part in self.parts]
        self._cascade = Cascade(read_maker(self._searcher.index), self.parts, threads=self._threads)
        pooled = [part.pooled for part in self.parts]
        return sum(rows.values.nbytes + rows.scales.nbytes + 8 * len(rows) for rows in pooled) / len(self._searcher)

    def first_alone(self, fragments: np.ndarray, k: int) -> list[Hit]:
        """Return the first stage's own best; their exact scores are computed, too, which takes next to nothing."""
        return self._hits(self._cascade.search(fragments, k, Budget(k)))

    def search(self, fragments: np.ndarray, k: int, first: int, pooled: int) -> list[Hit]:
        """Search in three stages. A query's fragments stand for themselves in the second one: merged ones would fill
        the same vector of a register."""
        return self._hits(self._cascade.search(fragments, k, Budget(first, pooled), merged=fragments))

    def _hits(self, found) -> list[Hit]:
        ranked = zip(found.scores.tolist(), found.numbers.tolist())
        return [self._searcher._commit.hit(rank, score, number) for rank, (score, number) in enumerate(ranked, 1)]


def pooled_rows(rows: StoredFragments) -> StoredFragments:
    """Return at most POOLED rows of int8 an image: the means of its fragments in clusters of like direction."""
    parts = []
    for begin in range(0, len(rows), _BLOCK):
        own = rows.offsets[begin : begin + _BLOCK + 1]
        vectors = decode_rows(
            rows.values[own[0] : own[-1]], rows.scales[own[0] : own[-1]], rows.precision, rows.dim, rows.center
        )
        parts += [_clustered(vectors[a:b]) for a, b in zip(own[:-1] - own[0], own[1:] - own[0])]
    lengths, vectors = [*map(len, parts)], np.concatenate(parts)
    return StoredFragments(*encode_rows(vectors, "int8"), np.cumsum([0, *lengths]), "int8", rows.dim)


def _clustered(vectors: np.ndarray) -> np.ndarray:
    count = min(POOLED, len(vectors))
    centers = vectors[np.linspace(0, len(vectors) - 1, count).astype(int)]
    for _ in range(_ROUNDS):
        nearest = (vectors @ (centers / np.maximum(np.linalg.norm(centers, axis=1, keepdims=True), 1e-30)).T).argmax(1)
        members = nearest[:, None] == np.arange(count)
        sizes = members.sum(0)
        centers = np.where(
            sizes[:, None] > 0, members.T.astype(np.float32) @ vectors / np.maximum(sizes, 1)[:, None], centers
        )
    return centers.astype(np.float32)


def parts_of_a_query(
    searcher: Searcher, encoder: QueryEncoder, captions: list[str], fragments: list[np.ndarray], k: int
) -> dict:
    """Return the median milliseconds of the parts of a query with the default recall: ``encode``, ``first``, ``exact``,
    ``fixed`` (what is neither: the packing of the query, Python, names), and ``scored`` items, the mean."""
    commit = searcher._commit
    budget = commit.budget(k, RECALL) or Budget(len(searcher))
    stages = [commit._cascade.search(query, k, budget) for query in fragments]
    first, _, exact = (1000 * np.median([found.seconds for found in stages], axis=0)).tolist()
    encode = _median(lambda caption: encoder([caption]), captions)
    whole = _median(lambda query: searcher.search_fragments(query, k=k), fragments)
    scored = float(np.mean([found.counted[2] for found in stages]))
    return {"encode": encode, "first": first, "exact": exact, "fixed": whole - first - exact, "scored": scored}


def _median(call: Callable, arguments: Sequence) -> float:
    """Return the median milliseconds of a call."""
    return float(np.median([milliseconds(lambda argument=argument: call(argument), 1) for argument in arguments]))
