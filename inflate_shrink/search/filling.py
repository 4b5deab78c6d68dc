"""Putting items into an index: what is new, in batches, commit by commit."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterator, Sequence, Tuple

import numpy as np
from tqdm import tqdm

from ..data.partial import partial_path
from ..errors import InputError
from .index import Index, IndexWriter, open_index

Rows = Dict[str, Tuple[np.ndarray, np.ndarray]]  # of a batch by field, as :meth:`.index.IndexWriter.add` takes them
# The opened index and which of the items are to be added -> batches: which of the items, ascending, and their rows.
# An item that is in no batch is left out.
Batches = Callable[[Index, np.ndarray], Iterator[Tuple[np.ndarray, Rows]]]


@contextmanager
def whole_index(directory: Path, made_of: dict):
    """Yield an index in the making, or an empty directory for it, that appears as ``directory`` when it is whole.

    Messages name that directory.
    """
    with partial_path(directory, made_of) as partial:
        try:
            yield partial
        except InputError as error:
            if str(partial) not in str(error):
                raise
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise InputError(str(error).replace(str(partial), str(directory))) from None


def add_items(
    directory: Path,
    items: Callable[[Index], Sequence[tuple[str, str]]],
    batches: Batches,
    data: dict,
    replace: bool = False,
    commit_items: int = 100_000,
) -> int:
    """Add the items that are not in an index yet; returns how many were added.

    Args:
        items: the index -> id and file of each item.
        data: what the index says of where they are from.
        replace: add those anew that are, in place of leaving them.
        commit_items: items between two commits: what is interrupted goes on from there.

    Raises:
        InputError: an id of the index is of another file, or caption, there.
    """
    with IndexWriter(directory) as writer:
        index = open_index(directory)
        names = items(index)
        known = index.contains([name for name, _ in names])
        wanted = np.arange(len(names))
        if not replace:
            _require_the_same(index, [name for name, there in zip(names, known) if there])
            wanted = wanted[~known]
        done = passed = 0
        with tqdm(total=len(wanted), desc="index", unit=index.settings.holds[:-1], disable=None, leave=False) as bar:
            for numbers, rows in batches(index, wanted):
                if not len(numbers):
                    continue
                ids, files = zip(*(names[number] for number in numbers))
                writer.delete([names[number][0] for number in numbers if known[number]])
                writer.add(ids, files, rows)
                if done // commit_items != (done + len(numbers)) // commit_items:
                    writer.commit(data)
                done += len(numbers)
                now = int(np.searchsorted(wanted, numbers[-1])) + 1  # those left out among them
                bar.update(now - passed)
                passed = now
        writer.commit(data)
    return done


def _require_the_same(index: Index, names: list[tuple[str, str]]) -> None:
    """Raise InputError if an id of the index is of another file, or another caption, there."""
    for (name, file), (segment, row) in zip(names, index.find([name for name, _ in names])):
        there = index.segments[segment].files[row]
        if there != file:
            root = index.image_root
            there, file = (os.path.join(root, part) if part else "" for part in (there, file))
            raise InputError(
                f"{index.directory}: {name!r} is of {there!r} there, and of {file!r} in the data to add;"
                " give it another id, or replace it with --replace"
            )
