"""A segment while it is written: rows go to its files as they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...atomic import fsync
from ...checked_files import FileEntry, FileWriter
from ...kernel.lanes import ITEMS, interleave
from .ids import HEADER, id_bytes, make_lookup
from .incoming import EncodedItems, EncodedRows
from .manifest_values import DELETED, SEGMENTS, SegmentEntry
from .settings import IndexSettings


class NewSegment:
    """Ids are kept in memory until the end, rows are not. len(): items so far.

    Attributes:
        numbers: the live items' numbers by their ids.

    Raises:
        OSError: from any method, the disk is full, for instance.
    """

    def __init__(self, directory: Path, name: str, settings: IndexSettings):
        self.name, self.numbers = name, {}
        self._directory, self._fields = directory, settings.fields
        self._place = directory / SEGMENTS / name
        self._place.mkdir()
        self._files: dict[str, FileWriter] = {}
        self._count = 0
        self._lines: list[np.ndarray] = []  # lengths in bytes
        self._lengths: dict[str, list[np.ndarray]] = {field: [] for field in self._fields}
        self._tails: dict[str, EncodedRows] = {}  # of fields in LANES: items that fill no block yet
        self._append("ids.tsv", HEADER)

    def __len__(self) -> int:
        return self._count

    def add(self, items: EncodedItems) -> None:
        """Append items to the files; raises OSError if one cannot be written."""
        self.numbers.update(zip(items.ids, range(self._count, self._count + len(items.ids))))
        self._count += len(items.ids)
        self._lines.append(np.array([len(line) for line in items.lines]))
        self._append("ids.tsv", b"".join(items.lines))
        for field, stored in items.fields.items():
            self._lengths[field].append(stored.lengths)
            if self._fields[field].bits:
                self._append_lanes(field, stored)
                continue
            self._append(f"{field}.rows", stored.values)
            if stored.scales is not None:
                self._append(f"{field}.scales", stored.scales)

    def finish(self, commit: str) -> SegmentEntry:
        """Write the rest; all is on disk when this returns, but for the directories ``segments`` and ``deleted``."""
        self._append("ids.offsets", _offsets(len(HEADER), np.concatenate(self._lines)))
        self._append(
            "ids.lookup", make_lookup(id_bytes(list(self.numbers)), np.fromiter(self.numbers.values(), np.int64))
        )
        for field, tail in list(self._tails.items()):
            self._append_block(field, tail.values, tail.scales)
        rows, rows_per_item = {}, {}
        for field, parts in self._lengths.items():
            lengths = np.concatenate(parts)
            rows[field] = int(lengths.sum())
            if (lengths == lengths[0]).all():
                rows_per_item[field] = int(lengths[0])
            else:
                self._append(f"{field}.offsets", _offsets(0, lengths))
        files = {f"{SEGMENTS}/{self.name}/{name}": file.finish() for name, file in self._files.items()}
        fsync(self._place)
        entry = SegmentEntry(self.name, len(self), 0, "", rows, rows_per_item, files)
        deleted = np.ones(len(self), bool)
        deleted[list(self.numbers.values())] = False
        return with_deleted(self._directory, entry, deleted, commit)

    def close(self) -> None:
        """Leave the files as they are, to be removed."""
        for file in self._files.values():
            file.close()

    def _append_lanes(self, field: str, stored: EncodedRows) -> None:
        """Write the blocks that are full; the rest waits for more items, or the end."""
        before = self._tails.pop(field, None)
        values, scales = stored.values, stored.scales
        if before is not None:
            values, scales = np.concatenate([before.values, values]), np.concatenate([before.scales, scales])
        full = len(values) // ITEMS * ITEMS
        self._append_block(field, values[:full], scales[:full])
        if full < len(values):
            self._tails[field] = EncodedRows(values[full:], scales[full:], stored.lengths)

    def _append_block(self, field: str, values: np.ndarray, scales: np.ndarray) -> None:
        self._append(f"{field}.rows", interleave(values))
        self._append(f"{field}.scales", np.pad(scales, (0, -len(scales) % ITEMS)))

    def _append(self, name: str, data) -> None:
        if name not in self._files:
            self._files[name] = FileWriter(self._place / name)
        self._files[name].write(data)


def with_deleted(directory: Path, entry: SegmentEntry, deleted: np.ndarray, commit: str) -> SegmentEntry:
    """Return the entry with the items (N,) bool deleted, after their bits are in a file of their own; as it is if there
    are none.
    """
    if not deleted.any():
        return entry
    name = f"{DELETED}/{entry.name}.{commit}"
    file = FileWriter(directory / name)
    try:
        file.write(np.packbits(deleted))
        kept = {path: kept for path, kept in entry.files.items() if path != entry.deleted_file}
        files: dict[str, FileEntry] = {**kept, name: file.finish()}
    finally:
        file.close()
    return SegmentEntry(entry.name, entry.items, int(deleted.sum()), name, entry.rows, entry.rows_per_item, files)


def _offsets(begin: int, lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[begin], begin + np.cumsum(lengths)]).astype(np.int64)
