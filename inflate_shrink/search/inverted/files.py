"""The files of an index with their sizes and checksums: ``files.tsv``, one line a file."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Sequence

from ...data.tsv import format_row, read_rows
from ...errors import InputError

LIST = "files.tsv"
_HEADER = ("file", "bytes", "crc32")
_SMALL = 1 << 20  # bytes: the checksum of a file up to this size costs nothing
_CHUNK = 1 << 24


def write_file_list(directory: Path, names: Sequence[str]) -> None:
    rows = [_HEADER, *((name, (directory / name).stat().st_size, _checksum(directory / name)) for name in names)]
    (directory / LIST).write_bytes("".join(map(format_row, rows)).encode())


def check_files(directory: Path, names: Sequence[str], checksums: bool = False) -> None:
    """Compare the files with their list: all sizes, and the checksums of small files or of all.

    Raises:
        InputError: ``directory`` is no index, or a file is missing, cut short or changed.
    """
    if not (directory / LIST).is_file():
        what = "not an index: files.tsv is missing" if directory.is_dir() else "no such index"
        raise InputError(f"{directory}: {what}; tools/index.py build makes one")
    listed = {fields[0]: fields[1:] for _, fields in read_rows(directory / LIST, _HEADER)}
    if set(listed) != set(names):
        raise InputError(f"{directory / LIST}: lists {', '.join(listed)}, expected {', '.join(names)}; it is damaged, build the index again")
    for name, (size, checksum) in listed.items():
        path = directory / name
        if not path.is_file():
            raise InputError(f"{path}: missing, so this is not a whole index; copy or build it again")
        found = path.stat().st_size
        if str(found) != size:
            raise InputError(f"{path}: has {found} bytes, {LIST} says {size}; it is damaged, copy or build the index again")
        if (checksums or found <= _SMALL) and _checksum(path) != checksum:
            raise InputError(f"{path}: its checksum is not the one in {LIST}; it is damaged, copy or build the index again")


def _checksum(path: Path) -> str:
    value = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            value = zlib.crc32(chunk, value)
    return f"{value:08x}"
