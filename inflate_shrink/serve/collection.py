"""The indexes that a service searches, the data sets beside them, and the ways to search that a person picks from."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Sequence

import numpy as np

from ..data.store import Store, open_store
from ..errors import InputError
from ..json_values import JsonMapping
from ..search.items import PHOTOS
from ..search.searchable import open_searchable
from ..search.searcher import NEAREST, VECTOR, Searcher
from ..search.stages import FITTED
from .refusal import Refusal

_EXAMPLES = 8
_FILTERS = 4  # of which the chosen ids are kept


class DataSet:
    """A data set that an index was made of.

    Attributes:
        store: as it was opened. rows: of its images, by id.
    """

    def __init__(self, store: Store):
        self.store, self.rows = store, {image: row for row, image in enumerate(store.image_ids)}
        rows, self._first = np.unique(store.caption_rows, return_index=True)
        self._captioned = {int(row): int(first) for row, first in zip(rows, self._first)}

    def caption(self, row: int) -> str:
        """Return the first caption of an image, or ""."""
        number = self._captioned.get(row)
        return "" if number is None else self.store.captions[number]

    def examples(self) -> list[str]:
        """Return some captions, of the test split where there is one."""
        splits, first = self.store.caption_splits, sorted(self._first)
        chosen = [number for number in first if splits[number] == "test"] or first
        return [
            self.store.captions[chosen[len(chosen) * place // _EXAMPLES]]
            for place in range(min(_EXAMPLES, len(chosen)))
        ]


class OpenIndex:
    """An index, its searcher and the data sets it was made of, where they are still there.

    Attributes:
        name: of its model. model: what the index says of it, as :meth:`..engine.checkpoint.Checkpoint.origin`.

    Args:
        data: a data set in place of those that the index names; "": those.
        photos_root: where the photos of the index's ``image_root`` are now; "": there.
        threads, backend: as of :class:`..search.searcher.Searcher`.

    Raises:
        InputError: it is no index, or no index of late interaction.
    """

    def __init__(
        self, directory: str | os.PathLike, data: str = "", photos_root: str = "", threads: int = 0, backend: str = ""
    ):
        searcher = open_searchable(directory, threads, backend)
        if not isinstance(searcher, Searcher):
            raise InputError(f"{directory}: an inverted index, which is not served; give one of late interaction")
        self.searcher, self.directory, self.holds = searcher, Path(directory), searcher.holds
        self.model, self._first = self._origin("model"), self._origin("first")
        self.name = str(self.model.get("name") or self.directory.name)
        self.photos_root = photos_root
        self._data, self.notes = data, []
        self.data_sets = self._open_data()
        self._chosen = lru_cache(_FILTERS)(self._choose)

    def __len__(self) -> int:
        return len(self.searcher)

    @property
    def roots(self) -> list[str]:
        """Return the folders, or zip archives, that the photos of the index's files start from: its own first."""
        recorded = [str(part.get("image_root") or "") for part in self.searcher.index.manifest.data]
        first = self.photos_root or self.searcher.index.image_root
        return list(dict.fromkeys(os.path.abspath(root) for root in [first, *recorded] if root))

    @property
    def recorded_data(self) -> list[JsonMapping]:
        """Return what the index says of each data set it was made of."""
        index = self.searcher.index
        where = index.directory / "manifest.json"
        return [JsonMapping(part, where, "build the index again", "data") for part in index.manifest.data]

    @property
    def describes_photos(self) -> bool:
        """Return whether it may be searched by a new photo."""
        return self.searcher.takes_photos

    def refresh(self) -> None:
        """Move to the index's latest commit, which may be of more data sets; raises InputError if it cannot."""
        if self.searcher.refresh():
            self.data_sets = self._open_data()

    def describe(self, data: bytes) -> np.ndarray:
        """Return the regions (m, region_dim) of a photo's bytes; raises InputError if its networks have gone, or it is
        no photo."""
        return self.searcher.describe_photo_data(data, "the photo")

    def file_of(self, item: str) -> str | None:
        """Return the file of an item as the index has it, or a caption's text; None if it holds no such item."""
        index = self.searcher.index
        if not index.contains([item])[0]:
            return None
        (segment, row), *_ = index.find([item])
        return index.segments[segment].files[row]

    def row_of(self, image: str) -> tuple[DataSet, int] | None:
        """Return the data set with an image, and its row there; None where none of them has it."""
        return next(((data, data.rows[image]) for data in self.data_sets if image in data.rows), None)

    def only(self, contains: str) -> list[str] | None:
        """Return the ids whose id, file name or caption holds a text, whatever its case; None: all."""
        return self._chosen(self.searcher.index.commit, contains.casefold()) if contains else None

    def _choose(self, commit: int, contains: str) -> list[str]:
        chosen = []
        for segment in self.searcher.index.segments:
            deleted = segment.deleted
            chosen += [
                item
                for row, (item, file) in enumerate(zip(segment.ids, segment.files))
                if (contains in item.casefold() or contains in file.casefold())
                and not (deleted is not None and deleted[row])
            ]
        return chosen

    def _origin(self, model: str) -> dict:
        origin = self.searcher.index.origin
        return origin.mapping(model).value if model in origin else {}

    def label(self, mode: str) -> str:
        """Return what a person reads of a way to search it."""
        fields = self.searcher.index.settings.fields
        if mode == "exact":
            how = " exact" if len(self.searcher.modes) > 1 else ""
        elif FITTED in fields:
            how = ", fitted first stage"
        elif NEAREST in fields:
            how = ", centroids first"
        else:
            how = f", first {self._first.get('name') or 'F'}" if VECTOR in fields else ", faiss first"
        return f"{self.name}{how}{', captions' if self.holds == 'captions' else ''}"

    def _open_data(self) -> list[DataSet]:
        opened, self.notes = [], []
        for part in self.recorded_data:
            if PHOTOS in part:  # a folder of photos, which is no data set
                continue
            try:
                directory = self._data or part.text("directory")
                store = open_store(directory)
                if store.fingerprint() != part.text("fingerprint"):
                    raise InputError(
                        f"{directory}: is not, or no longer, the data set that {self.directory} was made of"
                    )
            except InputError as error:
                self.notes.append(f"{error}; the page shows no boxes and no examples of it")
                continue
            opened.append(DataSet(store))
        return opened


@dataclass(frozen=True)
class Way:
    """What a person picks: an index and a mode to search it in.

    key: of the request. takes_recall: its first stage was measured.
    """

    key: str
    index: OpenIndex
    mode: str
    takes_recall: bool

    @property
    def label(self) -> str:
        """Return what a person reads."""
        return self.index.label(self.mode)


class Collection:
    """All that a service searches; threads may share it.

    Attributes:
        indexes: in the order given. ways: by key, the default one first.
    """

    def __init__(self, indexes: Sequence[OpenIndex]):
        self.indexes, self.ways = list(indexes), {}
        for number, index in enumerate(indexes):
            for mode in index.searcher.modes:
                measured = mode == "cascade" and FITTED in index.searcher.index.settings.fields
                way = Way(f"{number}:{mode}", index, mode, measured)
                self.ways[way.key] = way

    @property
    def items(self) -> int:
        """Return how many items all indexes hold."""
        return sum(map(len, self.indexes))

    def way(self, key: str) -> Way:
        """Return the way of a key, "" the first; raises Refusal if there is none."""
        if not key:
            return next(iter(self.ways.values()))
        if key not in self.ways:
            raise Refusal(422, f"way: there is no such one; GET /about lists them: {', '.join(self.ways)}")
        return self.ways[key]

    def examples(self) -> list[str]:
        """Return some captions to try, of the first index that has any."""
        return next(
            (data.examples() for index in self.indexes for data in index.data_sets if len(data.store.captions)), []
        )

    def warm_up(self) -> None:
        """Open the encoders, so that the first who asks does not wait for that."""
        for way in self.ways.values():
            if way.index.holds == "images":
                way.index.searcher.search("a photo", 1, way.mode)

    def refresh(self) -> list[str]:
        """Move to the latest commits; returns a line for each index that could not."""
        failed = []
        for index in self.indexes:
            try:
                index.refresh()
            except InputError as error:
                failed.append(str(error))
        return failed


def open_collection(
    directories: Sequence[str | os.PathLike], data: str = "", photos_root: str = "", threads: int = 0, backend: str = ""
) -> Collection:
    """Open indexes, with what is beside them, as :class:`OpenIndex` says; raises InputError as that does."""
    collection = Collection([OpenIndex(directory, data, photos_root, threads, backend) for directory in directories])
    for index in collection.indexes:
        for note in index.notes:
            print(f"note: {note}", file=sys.stderr)
    return collection
