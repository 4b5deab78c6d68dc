"""The ids and files of a segment: mapped text, so that opening a million items makes no million strings."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from ...data.tsv import format_row
from ...errors import InputError

HEADER = format_row(("id", "file")).encode()


def format_lines(where: object, ids: Sequence[str], files: Sequence[str]) -> list[bytes]:
    """Lines of ids.tsv.

    Raises:
        InputError: an id is empty or no string, a text holds a tab or a newline or is no Unicode, or there are not as many files as ids.
    """
    if len(ids) != len(files):
        raise InputError(f"{where}: {len(ids)} ids and {len(files)} files; each item has one of both (file \"\" for none)")
    wrong = [item for item in ids if not isinstance(item, str) or not item]
    if wrong:
        raise InputError(f"{where}: {wrong[0]!r} is no id; an id is a text that is not empty")
    try:
        return [format_row(row).encode("utf-8") for row in zip(ids, files)]
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: {error.object.strip()[:200]!r} is not Unicode text; use other ids and file names") from None
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def id_bytes(ids: Sequence[str]) -> list[bytes]:
    return [item.encode("utf-8", "surrogatepass") for item in ids]  # what is no Unicode is in no index


def hash_ids(ids: Sequence[bytes]) -> np.ndarray:
    """(n,) uint64."""
    return np.frombuffer(b"".join(blake2b(item, digest_size=8).digest() for item in ids), "<u8")


def make_lookup(ids: Sequence[bytes], rows: np.ndarray) -> np.ndarray:
    """(2, n) uint64 contents of ids.lookup for different ids and their rows (n,)."""
    keys = hash_ids(ids)
    order = np.argsort(keys, kind="stable")
    return np.stack([keys[order], np.asarray(rows, np.uint64)[order]])


def ranges(begins: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """All numbers of the ranges that begin at ``begins`` (n,) and have ``lengths`` (n,), one range after another."""
    ends = np.cumsum(lengths)
    return np.repeat(begins - (ends - lengths), lengths) + np.arange(ends[-1] if len(ends) else 0)


class IdTable:
    """Ids and files of N items. What is damaged is found when it is used: opening reads none of it.

    Args:
        directory: of the files, for what is said of damaged ones.
        text: (B,) uint8 of ids.tsv.
        offsets: (N + 1,) int64.
        lookup: (2, M) uint64.
    """

    def __init__(self, directory: Path, text: np.ndarray, offsets: np.ndarray, lookup: np.ndarray):
        self._directory, self._text, self._offsets = directory, text, offsets
        self._keys, self._rows = lookup
        self.ids, self.files = _Column(self, 0), _Column(self, 1)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def line(self, row: int) -> bytes:
        """Id, tab, file and newline; raises InputError, as :meth:`find`, if the files are damaged there."""
        begin, end = self._offsets[row : row + 2]
        line = self._text[begin:end].tobytes() if 0 <= begin < end <= len(self._text) else b""
        if line.count(b"\t") != 1 or line.find(b"\n") != len(line) - 1:
            raise self._damaged("ids.tsv or ids.offsets", row)
        return line

    def texts(self, row: int) -> list[str]:
        """Id and file."""
        try:
            return self.line(row)[:-1].decode("utf-8").split("\t")
        except UnicodeDecodeError:
            raise self._damaged("ids.tsv", row) from None

    def find(self, ids: Sequence[bytes], keys: np.ndarray) -> np.ndarray:
        """(n,) int64 rows of ids with their hashes, -1 where there is none."""
        rows = np.full(len(ids), -1, np.int64)
        places = np.searchsorted(self._keys, keys)
        left = np.arange(len(ids))
        while len(left):  # once, but for two ids of one hash
            left = left[places[left] < len(self._keys)]
            left = left[self._keys[places[left]] == keys[left]]
            candidates = self._rows[places[left]]
            if (candidates >= len(self)).any():
                raise self._damaged("ids.lookup", int(candidates.max()))
            candidates = candidates.astype(np.int64)
            same = self._have_ids(candidates, [ids[i] for i in left])
            rows[left[same]] = candidates[same]
            left = left[~same]
            places[left] += 1
        return rows

    def _have_ids(self, rows: np.ndarray, ids: list[bytes]) -> np.ndarray:
        """(n,) whether each row has that id."""
        wanted = np.frombuffer(b"".join(item + b"\t" for item in ids), np.uint8)
        lengths = np.array([len(item) + 1 for item in ids], np.int64)
        begins = self._offsets[rows]
        if ((begins < 0) | (begins >= len(self._text))).any():
            raise self._damaged("ids.offsets", int(rows[0]))
        places = np.minimum(ranges(begins, lengths), len(self._text) - 1)  # there ends a line, an id does not
        differs = np.cumsum(self._text[places] != wanted)
        return np.diff(differs[np.cumsum(lengths) - 1], prepend=0) == 0

    def _damaged(self, names: str, row: int) -> InputError:
        return InputError(f"{self._directory}: {names}: of item {row} is damaged; copy or build the index again")


class _Column(Sequence):
    """One text of every line, decoded when it is asked for."""

    def __init__(self, table: IdTable, number: int):
        self._table, self._number = table, number

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, row: int) -> str:
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        return self._table.texts(row % len(self))[self._number]
