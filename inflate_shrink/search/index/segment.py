"""The items that one commit added, memory-mapped."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...kernel import StoredFragments
from ...kernel.lanes import ITEMS, LaneVectors, rows_of_lanes
from .ids import IdTable, hash_ids, id_bytes, ranges
from .incoming import EncodedItems, EncodedRows
from .manifest import LISTED, check_files
from .manifest_values import SEGMENTS, SegmentEntry
from .mapped import map_file
from .settings import FieldSettings, IndexSettings

_BLOCK = 1 << 25  # bytes of rows that are copied at once


class Segment:
    """N items, len(); those deleted since are among them.

    Everything is mapped here and now, but for fields it is to be ``without``: the files may be removed while it is in
    use.

    Attributes:
        ids, files: sequences of N strings.
        deleted: (N,) bool, or None if all are live.

    Raises:
        InputError: a file is missing, or has another size than the manifest says, or offsets or deleted bits are
            damaged.
    """

    def __init__(self, directory: Path, entry: SegmentEntry, settings: IndexSettings, without: tuple[str, ...] = ()):
        self.entry = entry
        self._directory, self._settings = directory / SEGMENTS / entry.name, settings
        closed = tuple(f"{SEGMENTS}/{entry.name}/{name}." for name in without)
        check_files(directory, {name: file for name, file in entry.files.items() if not name.startswith(closed)})
        fields = settings.fields.items()
        self._stored = {name: self._map_stored(name, field) for name, field in fields if name not in without}
        lookup = self._map("ids.lookup", np.uint64).reshape(2, -1)
        self._table = IdTable(
            self._directory, self._map("ids.tsv", np.uint8), self._map("ids.offsets", np.int64), lookup
        )
        self.ids, self.files = self._table.ids, self._table.files
        self.deleted = self._read_deleted(directory / entry.deleted_file) if entry.deleted_file else None

    def __len__(self) -> int:
        return self.entry.items

    @property
    def live(self) -> int:
        """Return the number of items that are not deleted."""
        return len(self) - (0 if self.deleted is None else int(self.deleted.sum()))

    def name(self, number: int) -> tuple[str, str]:
        """Return the id and the file of an item, 0 to N - 1."""
        item, file = self._table.texts(number)
        return item, file

    @property
    def size(self) -> int:
        """Return how many bytes its files have."""
        return sum(entry.size for entry in self.entry.files.values())

    def stored(self, field: str) -> StoredFragments | LaneVectors:
        """Return the rows of all N items; their values are (R,) uint16 in a field of nearest centroids, and they are
        LaneVectors in one of LANES.

        Raises InputError if there is no such field.
        """
        if field not in self._stored:
            raise InputError(f"{self._directory.parents[1]}: has no field {field}; it has {', '.join(self._stored)}")
        return self._stored[field]

    def find(self, ids: Sequence[bytes], keys: np.ndarray) -> np.ndarray:
        """Return the items' numbers (n,) int64 of ids with their hashes, -1 where no live item has that id."""
        numbers = self._table.find(ids, keys)
        return numbers if self.deleted is None else np.where(self.deleted[numbers], -1, numbers)

    def mark_deleted(self, numbers: np.ndarray) -> None:
        """Mark items as deleted in memory only, in a writer's own segments."""
        if self.deleted is None:
            self.deleted = np.zeros(len(self), bool)
        self.deleted[numbers] = True

    def live_items(self) -> Iterator[EncodedItems]:
        """Yield the live items as they are stored, in blocks of bounded memory."""
        live = np.arange(len(self)) if self.deleted is None else np.flatnonzero(~self.deleted)
        step = max(1, _BLOCK * len(self) // self.size)
        for begin in range(0, len(live), step):
            chosen = live[begin : begin + step]
            lines = [self._table.line(number) for number in chosen]
            fields = {name: _encoded(rows, chosen) for name, rows in self._stored.items()}
            yield EncodedItems([self.ids[number] for number in chosen], lines, fields)

    def _map_stored(self, name: str, field: FieldSettings) -> StoredFragments | LaneVectors:
        entry = self.entry
        if field.bits:
            words = self._map(f"{name}.rows", field.dtype).reshape(field.shape(entry.items))
            scales = self._map(f"{name}.scales", np.float32).reshape(-1, ITEMS)
            return LaneVectors(words, scales, entry.items, field.dim, field.bits)
        if name in entry.rows_per_item:
            offsets = np.arange(entry.items + 1, dtype=np.int64) * entry.rows_per_item[name]
        else:
            offsets = self._map(f"{name}.offsets", np.int64)
            # Offsets are used as addresses.
            if offsets[0] != 0 or offsets[-1] != entry.rows[name] or (offsets[1:] <= offsets[:-1]).any():
                raise LISTED.changed(self._directory / f"{name}.offsets")
        values = self._map(f"{name}.rows", field.dtype).reshape(field.shape(entry.rows[name]))
        scales = self._map(f"{name}.scales", np.float32) if field.has_scales else None
        return StoredFragments(values, scales, offsets, field.precision, field.dim, field.center_vector)

    def _map(self, name: str, dtype) -> np.ndarray:
        return _map_file(self._directory / name, dtype)

    def _read_deleted(self, path: Path) -> np.ndarray:
        bits = _map_file(path, np.uint8)
        if f"{zlib.crc32(bits):08x}" != self.entry.files[self.entry.deleted_file].crc32:
            raise LISTED.changed(path)
        deleted = np.unpackbits(bits, count=len(self)).view(bool)
        if deleted.sum() != self.entry.deleted:
            raise LISTED.changed(path)
        return deleted


def locate(segments: Sequence[Segment], ids: Sequence[str]) -> np.ndarray:
    """Return (n, 2) int64: of each live item with one of these ids the segment's number, and its own in it; -1 where
    there is none.
    """
    positions = np.full((len(ids), 2), -1, np.int64)
    names = id_bytes(ids)
    keys = hash_ids(names)
    for number, segment in enumerate(segments):
        items = segment.find(names, keys)
        found = items >= 0
        positions[found, 0], positions[found, 1] = number, items[found]
    return positions


def _map_file(path: Path, dtype) -> np.ndarray:
    try:
        return map_file(path, dtype)
    except OSError as error:
        raise LISTED.unreadable(error, path) from None


def _encoded(rows: StoredFragments | LaneVectors, chosen: np.ndarray) -> EncodedRows:
    if isinstance(rows, LaneVectors):
        scales = rows.scales.reshape(-1)[chosen]
        return EncodedRows(rows_of_lanes(rows.words, chosen), scales, np.ones(len(chosen), np.int64))
    begins = rows.offsets[chosen]
    lengths = rows.offsets[chosen + 1] - begins
    places = ranges(begins, lengths)
    return EncodedRows(rows.values[places], None if rows.scales is None else rows.scales[places], lengths)
