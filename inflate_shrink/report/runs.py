"""Finished runs by their result.json: found, and what of each may be compared."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, NamedTuple

from ..pipeline.result import RESULT, read_result


class Bench(NamedTuple):
    """What recalls were measured on. Only recalls of one bench are ever compared."""

    data: str
    split: str
    protocol: str
    images: int
    captions: int

    @property
    def paper(self) -> str | None:
        """Return the column of the paper that was measured on the same images in the same way: flickr30k, coco1k or
        None."""
        columns = {("flickr30k", "full", "test", 1000): "flickr30k", ("coco", "first1k", "test", 1000): "coco1k"}
        return columns.get((self.data, self.protocol, self.split, self.images))


@dataclass(frozen=True)
class Run:
    """One result.json; ``values`` are as in the file."""

    path: Path
    values: dict

    def __getattr__(self, key):
        try:
            return self.values[key]
        except KeyError:
            raise AttributeError(key) from None

    def benches(self) -> Iterator[tuple[Bench, dict]]:
        """Yield each bench on which it was evaluated, and what was found there."""
        for protocol, found in self.evaluations.items():
            yield Bench(self.data, self.split, protocol, found["images"], found["captions"]), found


def find_results(root: Path) -> list[Path]:
    """Find the result.json below ``root``, in order; each file once, whatever links lead to it."""
    seen, found = set(), {}
    for directory, below, files in os.walk(root, followlinks=True):
        real = os.path.realpath(directory)
        below[:] = [] if real in seen else sorted(below)
        seen.add(real)
        if RESULT in files:
            found.setdefault(os.path.realpath(os.path.join(directory, RESULT)), Path(directory) / RESULT)
    return sorted(found.values())


def read_run(path: Path) -> Run:
    """Read a result.json. Raises InputError in one line for a file that cannot be read or lacks something."""
    return Run(path, read_result(path))
