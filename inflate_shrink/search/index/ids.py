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
    """Return the lines of ids.tsv.

    Raises:
        InputError: an id is empty or no string, a text holds a tab or a newline or is no Unicode, or there are not as
            many files as ids.
    """
    if len(ids) != len(files):
        raise InputError(
            f'{where}: {len(ids)} ids and {len(files)} files; each item has one of both (file "" for none)'
        )
    wrong = [item for item in ids if not isinstance(item, str) or not item]
    if wrong:
        raise InputError(f"{where}: {wrong[0]!r} is no id; an id is a text that is not empty")
    try:
        return [format_row(row).encode("utf-8") for row in zip(ids, files)]
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: {error.object.strip()[:200]!r} is not Unicode text; use other ids and file names"
        ) from None
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def id_bytes(ids: Sequence[str]) -> list[bytes]:
    """Encode ids as UTF-8; what is no Unicode passes, since it is in no index."""
    return [item.encode("utf-8", "surrogatepass") for item in ids]


def hash_ids(ids: Sequence[bytes]) -> np.ndarray:
    """Return the hashes (n,) uint64 of ids."""
    return np.frombuffer(b"".join(blake2b(item, digest_size=8).digest() for item in ids), "<u8")


def make_lookup(ids: Sequence[bytes], numbers: np.ndarray) -> np.ndarray:
    """Return the contents (2, n) uint64 of ids.lookup, for different ids and the numbers (n,) of their items."""
    keys = hash_ids(ids)
    order = np.argsort(keys, kind="stable")
    return np.stack([keys[order], np.asarray(numbers, np.uint64)[order]])


def ranges(begins: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return all numbers of the ranges that begin at ``begins`` (n,) and have ``lengths`` (n,), one range after
    another.
    """
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
        self._keys, self._numbers = lookup
        self.ids, self.files = _Column(self, 0), _Column(self, 1)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def line(self, number: int) -> bytes:
        """Return an item's id, tab, file and newline.

        Raises InputError, as :meth:`find`, if the files are damaged there.
        """
        begin, end = self._offsets[number : number + 2].tolist()
        line = self._text[begin:end].tobytes() if 0 <= begin < end <= len(self._text) else b""
        if line.count(b"\t") != 1 or line.find(b"\n") != len(line) - 1:
            raise self._damaged("ids.tsv or ids.offsets", number)
        return line

    def texts(self, number: int) -> list[str]:
        """Return an item's id and file."""
        try:
            return self.line(number)[:-1].decode("utf-8").split("\t")
        except UnicodeDecodeError:
            raise self._damaged("ids.tsv", number) from None

    def find(self, ids: Sequence[bytes], keys: np.ndarray) -> np.ndarray:
        """Return the items' numbers (n,) int64 of ids with their hashes, -1 where there is none."""
        numbers = np.full(len(ids), -1, np.int64)
        places = np.searchsorted(self._keys, keys)
        left = np.arange(len(ids))
        # One round is enough but for two ids of one hash.
        while len(left):
            left = left[places[left] < len(self._keys)]
            left = left[self._keys[places[left]] == keys[left]]
            candidates = self._numbers[places[left]]
            if (candidates >= len(self)).any():
                raise self._damaged("ids.lookup", int(candidates.max()))
            candidates = candidates.astype(np.int64)
            same = self._have_ids(candidates, [ids[i] for i in left])
            numbers[left[same]] = candidates[same]
            left = left[~same]
            places[left] += 1
        return numbers

    def _have_ids(self, numbers: np.ndarray, ids: list[bytes]) -> np.ndarray:
        """Return (n,) whether each item has that id."""
        wanted = np.frombuffer(b"".join(item + b"\t" for item in ids), np.uint8)
        lengths = np.array([len(item) + 1 for item in ids], np.int64)
        begins = self._offsets[numbers]
        if ((begins < 0) | (begins >= len(self._text))).any():
            raise self._damaged("ids.offsets", int(numbers[0]))
        # The last byte ends a line, so it is of no id.
        places = np.minimum(ranges(begins, lengths), len(self._text) - 1)
        differs = np.cumsum(self._text[places] != wanted)
        return np.diff(differs[np.cumsum(lengths) - 1], prepend=0) == 0

    def _damaged(self, names: str, number: int) -> InputError:
        return InputError(f"{self._directory}: {names}: of item {number} is damaged; copy or build the index again")


class _Column(Sequence):
    """One text of every line, decoded when it is asked for."""

    def __init__(self, table: IdTable, column: int):
        self._table, self._column = table, column

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, number: int) -> str:
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        return self._table.texts(number % len(self))[self._column]
