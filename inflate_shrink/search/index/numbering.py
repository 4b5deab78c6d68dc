"""The items of a commit, numbered through its segments, deleted ones among them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from .segment import Segment


class Numbering:
    """Numbers of the items of some segments: those of the segments before, and the item's own in its segment."""

    def __init__(self, segments: Sequence[Segment]):
        self.segments = segments
        self._firsts = np.cumsum([0, *map(len, segments)])
        self._begins = self._firsts[:-1].tolist()  # the same for one item, which NumPy is slow at

    @cached_property
    def live(self) -> np.ndarray:
        """Return the numbers (L,) int64 of the items that are not deleted, ascending."""
        live = [
            np.arange(len(segment)) if segment.deleted is None else np.flatnonzero(~segment.deleted)
            for segment in self.segments
        ]
        return np.concatenate([np.empty(0, np.int64), *(first + numbers for first, numbers in zip(self._firsts, live))])

    def numbers(self, found: np.ndarray) -> np.ndarray:
        """Return the numbers (n,) of items given by (n, 2) their segments and their own numbers there, as
        :meth:`.index.Index.find` does.
        """
        return self._firsts[found[:, 0]] + found[:, 1]

    def name(self, number: int) -> tuple[str, str]:
        """Return the id and the file of an item."""
        segment, own = self.place(number)
        return segment.name(own)

    def place(self, number: int) -> tuple[Segment, int]:
        """Return the segment of an item, and the item's own number there."""
        place = bisect_right(self._begins, number) - 1
        return self.segments[place], int(number) - self._begins[place]

    def parts(self, numbers: np.ndarray) -> Iterator[tuple[np.ndarray, Segment, np.ndarray]]:
        """Yield for each segment that has any of the items: their places among the numbers (n,), the segment, their own
        numbers there.
        """
        for places, number, own in self.numbered_parts(numbers):
            yield places, self.segments[number], own

    def numbered_parts(self, numbers: np.ndarray) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
        """Yield the same, with the segment's number in its place."""
        segments = np.searchsorted(self._firsts, numbers, side="right") - 1
        for segment in np.unique(segments).tolist():
            places = np.flatnonzero(segments == segment)
            yield places, segment, numbers[places] - self._firsts[segment]
