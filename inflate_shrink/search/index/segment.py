"""The items that one commit added, memory-mapped."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...kernel import Rows
from .ids import IdTable, hash_ids, id_bytes, ranges
from .incoming import Items, StoredRows
from .manifest import LISTED, SEGMENTS, SegmentEntry, check_files
from .mapped import map_file
from .settings import FieldSettings, IndexSettings

_BLOCK = 1 << 25  # bytes of rows that are copied at once


class Segment:
    """N items, len(); those deleted since are among them.

    Everything is mapped here and now: the files may be removed while it is in use.

    Attributes:
        ids, files: sequences of N strings.
        deleted: (N,) bool, or None if all are live.

    Raises:
        InputError: a file is missing, or has another size than the manifest says, or offsets or deleted bits are damaged.
    """

    def __init__(self, directory: Path, entry: SegmentEntry, settings: IndexSettings):
        self.entry = entry
        self._directory, self._settings = directory / SEGMENTS / entry.name, settings
        check_files(directory, entry.files)
        self._rows = {name: self._map_rows(name, field) for name, field in settings.fields.items()}
        lookup = self._map("ids.lookup", np.uint64).reshape(2, -1)
        self._table = IdTable(self._directory, self._map("ids.tsv", np.uint8), self._map("ids.offsets", np.int64), lookup)
        self.ids, self.files = self._table.ids, self._table.files
        self.deleted = self._read_deleted(directory / entry.deleted_file) if entry.deleted_file else None

    def __len__(self) -> int:
        return self.entry.items

    @property
    def live(self) -> int:
        """Number of items that are not deleted."""
        return len(self) - (0 if self.deleted is None else int(self.deleted.sum()))

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(entry.size for entry in self.entry.files.values())

    def rows(self, field: str) -> Rows:
        """The rows of all N items; values (R,) uint16 of a field of codes. Raises InputError if there is no such field."""
        if field not in self._rows:
            raise InputError(f"{self._directory.parents[1]}: has no field {field}; it has {', '.join(self._rows)}")
        return self._rows[field]

    def find(self, ids: Sequence[bytes], keys: np.ndarray) -> np.ndarray:
        """(n,) int64 rows of ids with their hashes, -1 where no live item has that id."""
        rows = self._table.find(ids, keys)
        return rows if self.deleted is None else np.where(self.deleted[rows], -1, rows)

    def mark_deleted(self, rows: np.ndarray) -> None:
        """In memory only, for a writer's own segments."""
        if self.deleted is None:
            self.deleted = np.zeros(len(self), bool)
        self.deleted[rows] = True

    def live_items(self) -> Iterator[Items]:
        """The live items as they are stored, in blocks of bounded memory."""
        live = np.arange(len(self)) if self.deleted is None else np.flatnonzero(~self.deleted)
        step = max(1, _BLOCK * len(self) // self.size)
        for begin in range(0, len(live), step):
            items = live[begin : begin + step]
            lines = [self._table.line(item) for item in items]
            yield Items([self.ids[item] for item in items], lines, {name: _stored(rows, items) for name, rows in self._rows.items()})

    def _map_rows(self, name: str, field: FieldSettings) -> Rows:
        entry = self.entry
        if name in entry.rows_per_item:
            offsets = np.arange(entry.items + 1, dtype=np.int64) * entry.rows_per_item[name]
        else:
            offsets = self._map(f"{name}.offsets", np.int64)
            if offsets[0] != 0 or offsets[-1] != entry.rows[name] or (offsets[1:] <= offsets[:-1]).any():  # they are used as addresses
                raise LISTED.changed(self._directory / f"{name}.offsets")
        values = self._map(f"{name}.rows", field.dtype).reshape(field.shape(entry.rows[name]))
        scales = self._map(f"{name}.scales", np.float32) if field.precision == "int8" else None
        return Rows(values, scales, offsets, field.precision, field.dim, field.center_vector)

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
    """(n, 2) int64 number of the segment and row of the live items with these ids; -1 where there is none."""
    positions = np.full((len(ids), 2), -1, np.int64)
    names = id_bytes(ids)
    keys = hash_ids(names)
    for number, segment in enumerate(segments):
        rows = segment.find(names, keys)
        found = rows >= 0
        positions[found, 0], positions[found, 1] = number, rows[found]
    return positions


def _map_file(path: Path, dtype) -> np.ndarray:
    try:
        return map_file(path, dtype)
    except OSError as error:
        raise LISTED.unreadable(error, path) from None


def _stored(rows: Rows, items: np.ndarray) -> StoredRows:
    begins = rows.offsets[items]
    lengths = rows.offsets[items + 1] - begins
    chosen = ranges(begins, lengths)
    return StoredRows(rows.values[chosen], None if rows.scales is None else rows.scales[chosen], lengths)
