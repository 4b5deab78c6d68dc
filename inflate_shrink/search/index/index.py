"""Reading an index."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...json_values import JsonMapping
from .manifest import MANIFEST, at_latest, check_files
from .manifest_values import Manifest, SegmentEntry
from .segment import Segment, locate
from .settings import IndexSettings

_NAMED = 5  # unknown ids in a message


def open_index(directory: str | os.PathLike, without: Sequence[str] = ()) -> Index:
    """Open an index at its latest commit.

    Args:
        without: fields that are left closed, and constant files that begin so: they may be missing or damaged.

    Raises:
        InputError: it is no index, of a newer format, its manifest is damaged, or a file is missing or has
            another size. A changed bit elsewhere is found by :func:`.verify.verify_index`.
    """
    return Index(Path(directory), tuple(without))


class Index:
    """One commit of an index; writers do not disturb it. len(): live items. Made by :func:`open_index`.

    Attributes:
        directory: of the index and its constant files.
        manifest: of this commit.
        settings: :class:`.settings.IndexSettings`.
        commit: number of the commit, 0 of a new index.
        segments: tuple of :class:`.segment.Segment`.
    """

    def __init__(self, directory: Path, without: tuple[str, ...] = ()):
        self.directory, self._without = directory, without
        self.manifest: Manifest | None = None
        self.segments: tuple[Segment, ...] = ()
        self._load()

    def __len__(self) -> int:
        return sum(entry.items - entry.deleted for entry in self.manifest.segments)

    @property
    def settings(self) -> IndexSettings:
        """Return what the index holds, its fields and its origin."""
        return self.manifest.settings

    @property
    def commit(self) -> int:
        """Return the number of the commit that is open."""
        return self.manifest.commit

    @property
    def image_root(self) -> str:
        """Return the directory of the images' files, "" where they have none.

        Raises InputError if the origin does not say.
        """
        return self.origin.mapping("data").text("image_root")

    @property
    def origin(self) -> JsonMapping:
        """Return what the index was made of, whose values are checked when they are asked for."""
        return JsonMapping(self.settings.origin, self.directory / MANIFEST, "build the index again", "settings.origin")

    def refresh(self) -> bool:
        """Move to the latest commit, if that is a newer one. Costs one stat(2) if not. Not while another thread
        searches.

        Raises:
            InputError: as of :func:`open_index`, or another index has taken this one's place. It is then as it was.
        """
        if self._stat() == self._seen:
            return False
        before = self.manifest
        self._load()
        return self.manifest != before

    def contains(self, ids: Sequence[str]) -> np.ndarray:
        """Return (n,) bool: whether each of the ids is in the index."""
        return locate(self.segments, ids)[:, 0] >= 0

    def find(self, ids: Sequence[str]) -> np.ndarray:
        """Return (n, 2) int64: of each of the ids the number of its segment, and the item's number in it.

        Raises:
            InputError: an id is not in the index, or no longer; names the first of them.
        """
        positions = locate(self.segments, ids)
        require_known(self.directory, ids, positions)
        return positions

    def _load(self) -> None:
        seen = self._stat()
        self.manifest, self.segments = at_latest(self.directory, self._open)
        self._seen = seen

    def _open(self, manifest: Manifest) -> tuple[Manifest, tuple[Segment, ...]]:
        if self.manifest and manifest.settings != self.settings:
            raise InputError(f"{self.directory}: another index has taken its place; open it again")
        named = manifest.files.items()
        check_files(self.directory, {name: entry for name, entry in named if not name.startswith(self._without)})
        opened = {segment.entry.name: segment for segment in self.segments}
        return manifest, tuple(
            self._open_segment(opened.get(entry.name), entry, manifest) for entry in manifest.segments
        )

    def _open_segment(self, opened: Segment | None, entry: SegmentEntry, manifest: Manifest) -> Segment:
        if opened is not None and opened.entry == entry:
            return opened
        return Segment(self.directory, entry, manifest.settings, self._without)

    def _stat(self) -> tuple:
        try:
            stat = os.stat(self.directory / MANIFEST)
        except OSError:  # reading it says what is wrong
            return ()
        return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def require_known(directory: Path, ids: Sequence[str], positions: np.ndarray) -> None:
    """Raise InputError if any of the ids has no position."""
    unknown = [ids[i] for i in np.flatnonzero(positions[:, 0] < 0)]
    if unknown:
        names = ", ".join(map(repr, unknown[:_NAMED])) + (", ..." if len(unknown) > _NAMED else "")
        raise InputError(f"{directory}: {len(unknown)} of {len(ids)} ids not in the index: {names}")
