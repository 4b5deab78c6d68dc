"""What fitted vectors are multiplied with: features of a query's fragments, cut to a rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from ..errors import InputError

MOST_RANDOM = 1 << 14  # a matrix of so many features and their products still fits in memory
_BLOCK = 1 << 24  # random features of fragments held at a time


@dataclass(frozen=True, eq=False)
class QueryFeatures:
    """A linear map of what is known of a query: the sum of its fragments, random features of them, a vector beside.

    Sums, as scores are sums over fragments: one fit then holds for short texts and long ones.

    dim: d, of the fragments. random: how many random features max(0, <w, x>) of each fragment x, added up like the
    fragments; 0: none. seed: of their directions w, which are not stored. beside: numbers of a further vector of the
    query, such as F's; 0: none. projection: (d + random + beside, r) float32; None: the identity.
    """

    dim: int
    random: int = 0
    seed: int = 0
    beside: int = 0
    projection: np.ndarray | None = None

    def __post_init__(self):
        """Raise InputError if a number is out of its range, or the projection is not of these sizes or not finite."""
        for name, least, most in (("dim", 1, 1 << 16), ("random", 0, MOST_RANDOM), ("beside", 0, 1 << 16)):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or not least <= value <= most:
                raise InputError(f"fitted vectors: {name} is {value!r}, expected a whole number from {least} to {most}")
        projection = self.projection
        if projection is None:
            return
        if projection.ndim != 2 or projection.shape[0] != self.raw or projection.dtype != np.float32:
            found = f"{projection.dtype} {projection.shape}"
            raise InputError(f"fitted vectors: the projection is {found}, expected float32 ({self.raw}, ..)")
        if not np.isfinite(projection).all():
            raise InputError("fitted vectors: the projection holds a number that is NaN or infinite")

    @property
    def raw(self) -> int:
        """Return the number of features before the projection."""
        return self.dim + self.random + self.beside

    def __call__(self, queries: Sequence[np.ndarray], beside: np.ndarray | None = None) -> np.ndarray:
        """Return the features (n, r) float32 of n queries.

        Args:
            queries: for each the fragments (l, d) float32 that count, 1 or more.
            beside: (n, beside) float32, where the features have such.

        Raises InputError if they have other shapes, or a query has no fragments.
        """
        counts = np.array([len(query) for query in queries], np.int64)
        if not counts.all() or any(query.ndim != 2 or query.shape[1] != self.dim for query in queries):
            raise InputError(f"fitted vectors: a query is 1 or more fragments of {self.dim} dimensions")
        given = None if beside is None else np.asarray(beside, np.float32)
        if (None if given is None else given.shape) != ((len(queries), self.beside) if self.beside else None):
            found = "nothing" if given is None else given.shape
            raise InputError(f"fitted vectors: beside the fragments stand ({len(queries)}, {self.beside}), got {found}")
        raw = np.empty((len(queries), self.raw), np.float32)
        at_once = max(1, _BLOCK // (max(1, self.random) * int(counts.max(initial=1))))
        directions = self.directions()
        for begin in range(0, len(queries), at_once):
            part, rows = slice(begin, begin + at_once), np.concatenate(queries[begin : begin + at_once])
            starts = np.cumsum(counts[part]) - counts[part]
            raw[part, : self.dim] = np.add.reduceat(rows, starts)
            if self.random:
                hidden = np.maximum(rows @ directions, 0)
                raw[part, self.dim : self.dim + self.random] = np.add.reduceat(hidden, starts)
        if self.beside:
            raw[:, self.dim + self.random :] = given
        return raw if self.projection is None else raw @ self.projection

    def directions(self) -> np.ndarray:
        """Return directions (d, random) of length 1, drawn from the bits of PCG64, which no version of NumPy changes."""
        bits = np.random.PCG64(self.seed).random_raw(-(-self.dim * self.random // 64)).astype("<u8")
        signs = np.unpackbits(bits.view(np.uint8))[: self.dim * self.random].reshape(self.dim, self.random)
        return (2 * signs.astype(np.float32) - 1) / np.float32(np.sqrt(self.dim))
