"""Writing an index: one writer at a time, readers undisturbed, all of a commit or nothing.

However small the commits, segments stay few: a commit also merges the last of those before it, where one has no more
live items than all behind it together. Each one left then has more than all behind it, so there are log2(N) for N
items, and whenever an item is copied its segment doubles: each is copied log2(N) times at most.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...atomic import atomic_path, fsync, require_new
from ...checked_files import measure
from ...errors import InputError
from ...lock import FileLock, take_lock
from .incoming import encode_items
from .index import open_index, require_known
from .manifest import MANIFEST, check_files, manifest_bytes, read_manifest, remove_unnamed, write_manifest
from .manifest_values import DELETED, SEGMENTS, Manifest, SegmentEntry
from .new_segment import NewSegment, with_deleted
from .segment import Segment, locate
from .settings import IndexSettings

LOCK = "lock"
_MERGED = 1 << 30  # bytes that a commit merges at most, so that it neither takes minutes nor fills the disk


def create_index(
    directory: str | os.PathLike, settings: IndexSettings, prepare: Callable[[Path], None] | None = None
) -> None:
    """Make an index without items, whole or not at all.

    Args:
        directory: must not exist yet.
        prepare: called with the directory in the making, to put constant files there.

    Raises:
        InputError: the directory exists or cannot be written.
    """
    directory = Path(directory)
    require_new(directory)
    with atomic_path(directory) as temporary:
        temporary.mkdir()
        if prepare:
            prepare(temporary)
        paths = sorted(path for path in temporary.rglob("*") if path.is_file())
        files = {path.relative_to(temporary).as_posix(): measure(path) for path in paths}
        for name in (SEGMENTS, DELETED):
            (temporary / name).mkdir()
        (temporary / LOCK).touch()
        (temporary / MANIFEST).write_bytes(manifest_bytes(Manifest(settings, 0, files, ())))


class IndexWriter:
    """Context manager that holds the writers' lock. What is not committed when it ends is dropped.

    Args:
        wait: seconds to wait for another writer.

    Raises:
        InputError: no index or a damaged one, a directory that is read-only, another writer. From any method: bad
            input, after which one may go on; or a disk that is full, after which the index is as the last commit left
            it and this writer is closed.

    Example::

        with IndexWriter("indexes/mine") as writer:
            writer.delete(["17"])
            writer.add(["17", "18"], ["17.jpg", ""], {"fragments": (vectors, [32, 30])})  # vectors: (62, d)
            writer.commit()
    """

    def __init__(self, directory: str | os.PathLike, wait: float = 10.0):
        self.directory = Path(directory)
        self._new: NewSegment | None = None
        self._manifest = read_manifest(self.directory)  # is read first: a directory that is no index gets no lock file
        self._lock: FileLock | None = take_lock(self.directory / LOCK, self.directory, wait)
        with self._all_or_closed():
            for name in (SEGMENTS, DELETED):
                (self.directory / name).mkdir(exist_ok=True)  # some ways to copy leave empty directories out
            self._begin()

    def __enter__(self) -> IndexWriter:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def add(
        self, ids: Sequence[str], files: Sequence[str], fields: dict[str, tuple[np.ndarray, Sequence[int]]]
    ) -> None:
        """Append n items.

        Args:
            ids: not in the index, or deleted before.
            files: of the items, "" for none.
            fields: for each field of the settings the rows of all the items, (R, d) floats (a field of nearest
                centroids: (R,) uint16), and how many of them each item has, (n,).

        Raises:
            InputError: names an item whose id is taken or cannot be stored, that has no rows, whose rows have
                another dimension or are not finite, or that lacks a field; none of the n is then added.
        """
        if not len(ids):
            return
        manifest = self._open_manifest()
        items = encode_items(self.directory, manifest.settings, ids, files, fields)
        self._require_new(items.ids)
        with self._all_or_closed():
            self._segment().add(items)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete items, also those added since the last commit.

        Returns how many; raises InputError if an id is unknown: none is then deleted.
        """
        self._open_manifest()
        ids = list(dict.fromkeys(ids))
        added = self._new.numbers if self._new else {}
        old = [item for item in ids if item not in added]
        positions = locate(self._segments, old)
        require_known(self.directory, old, positions)
        for number in np.unique(positions[:, 0]):
            self._segments[number].mark_deleted(positions[positions[:, 0] == number, 1])
        for item in ids:
            added.pop(item, None)
        return len(ids)

    def compact(self) -> None:
        """Copy all live items into one segment, in order, behind what was added since the last commit; the commit drops
        the old ones.

        Raises:
            InputError: names a file whose checksum has changed; the index is as it was, and this writer closed.
        """
        self._open_manifest()
        if not self._new and len(self._segments) < 2 and all(segment.deleted is None for segment in self._segments):
            return
        with self._all_or_closed():
            for segment in self._segments:
                self._copy(segment, self._segment())
        self._segments = []

    def commit(self, data: dict | None = None) -> None:
        """Make everything since the last commit visible to readers, at once; it is on disk when this returns.

        Args:
            data: JSON values: the data set of the items that were added, for the manifest's list of them.

        Raises:
            InputError: as of :meth:`compact`, of a segment that is to be merged.
        """
        manifest = self._open_manifest()
        with self._all_or_closed():
            kept = [segment for segment in self._segments if segment.live]
            added = [self._new] if self._new and self._new.numbers else []
            if added or [segment.live for segment in kept] != [
                entry.items - entry.deleted for entry in manifest.segments
            ]:
                first = _first_to_merge([(segment.live, segment.size) for segment in kept])
                entries = [
                    *map(self._entry, kept[:first]),
                    *self._merge(kept[first:]),
                    *(new.finish(self._name) for new in added),
                ]
                fsync(self.directory / SEGMENTS)
                fsync(self.directory / DELETED)
                named = (data,) if added and data is not None and data not in manifest.data else ()
                write_manifest(
                    self.directory,
                    replace(manifest, commit=manifest.commit + 1, segments=tuple(entries), data=manifest.data + named),
                )
            self._begin()

    def add_constant_files(self, names: Sequence[str], dropped: Sequence[str] = ()) -> None:
        """Make files that are in the index's directory by now part of it, at once, and ``dropped`` ones no longer; those
        stay on disk, where a reader of the commit before may still look for them.

        A file of a name is never to change.

        What was added since the last commit is dropped. The number of the commit stays, since the items are the same.
        """
        manifest = self._open_manifest()
        with self._all_or_closed():
            added = {name: measure(self.directory / name) for name in names}
            kept = {name: entry for name, entry in manifest.files.items() if name not in dropped}
            write_manifest(self.directory, replace(manifest, files={**kept, **added}))
            self._begin()

    def close(self) -> None:
        """Drop what is not committed and let other writers in."""
        if self._lock is None:
            return
        try:
            self._drop_new()
            # Both: a failed commit may have come through.
            remove_unnamed(self.directory, self._manifest, read_manifest(self.directory))
        except (OSError, InputError):
            pass  # the next writer removes it
        finally:
            self._lock.release()
            self._lock, self._segments = None, []

    def _begin(self) -> None:
        self._drop_new()
        index = open_index(self.directory)
        self._manifest, self._segments = index.manifest, list(index.segments)
        remove_unnamed(self.directory, self._manifest)
        self._name = self._fresh_name()

    def _fresh_name(self) -> str:
        """Return a name for a segment of the next commit, never one that was there before."""
        return f"{self._manifest.commit + 1:08d}-{secrets.token_hex(4)}"

    def _open_manifest(self) -> Manifest:
        if self._lock is None:
            raise InputError(f"{self.directory}: this writer is closed; open another")
        return self._manifest

    def _segment(self) -> NewSegment:
        if self._new is None:
            self._new = NewSegment(self.directory, self._name, self._manifest.settings)
        return self._new

    def _copy(self, segment: Segment, new: NewSegment) -> None:
        """Append the live items, after every file was compared with its checksum: the copy gets one of its own."""
        check_files(self.directory, segment.entry.files, contents=True)
        for items in segment.live_items():
            new.add(items)

    def _merge(self, segments: list[Segment]) -> list[SegmentEntry]:
        """Copy several segments into one new one; return its entry, or nothing for none."""
        if not segments:
            return []
        merged = NewSegment(self.directory, self._fresh_name(), self._manifest.settings)
        try:
            for segment in segments:
                self._copy(segment, merged)
            return [merged.finish(self._name)]
        finally:
            merged.close()

    def _entry(self, segment: Segment) -> SegmentEntry:
        """Return the entry of a segment in the next manifest."""
        deleted = 0 if segment.deleted is None else int(segment.deleted.sum())
        if deleted == segment.entry.deleted:
            return segment.entry
        return with_deleted(self.directory, segment.entry, segment.deleted, self._name)

    def _require_new(self, ids: list[str]) -> None:
        added, seen = self._new.numbers if self._new else {}, set()
        for item in ids:
            if item in seen or item in added:
                raise InputError(f"{self.directory}: id {item!r} was added twice; ids must be unique")
            seen.add(item)
        taken = np.flatnonzero(locate(self._segments, ids)[:, 0] >= 0)
        if len(taken):
            raise InputError(
                f"{self.directory}: id {ids[taken[0]]!r} is in the index already; delete it first to replace it"
            )

    @contextmanager
    def _all_or_closed(self):
        try:
            yield
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise InputError(
                    f"{self.directory}: cannot be written: {error.strerror or error}; the index is as it was"
                ) from error
            raise

    def _drop_new(self) -> None:
        if self._new:
            self._new.close()
        self._new = None


def _first_to_merge(segments: list[tuple[int, int]]) -> int:
    """Return the first of the last segments that become one, given the live items and bytes of each; their number for
    none.
    """
    first, items, size = len(segments), 0, 0
    for number, (live, part) in reversed(list(enumerate(segments))):
        size += part
        if size > _MERGED:
            break
        if live <= items:
            first = number
        items += live
    return first
