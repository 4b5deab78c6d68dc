"""The files of an index with their sizes and checksums: ``files.tsv``, one line a file."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from ...checked_files import ALL, SMALL, FileEntry, FileList, measure
from ...data.tsv import format_row, read_rows
from ...errors import InputError

LIST = "files.tsv"
_HEADER = ("file", "bytes", "crc32")
_LISTED = FileList(LIST, "index")


def write_file_list(directory: Path, names: Sequence[str]) -> None:
    """Write the sizes in bytes and the checksums of the files to LIST; raises OSError if one cannot be read."""
    rows = [_HEADER, *((name, *measure(directory / name)) for name in names)]
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
        raise InputError(
            f"{directory / LIST}: lists {', '.join(listed)}, expected {', '.join(names)}; it is damaged, "
            "build the index again"
        )
    for name, (size, _) in listed.items():
        if not (size.isascii() and size.isdecimal() and len(size) < 20):
            raise InputError(
                f"{directory / LIST}: {name} has {size!r} bytes, expected a number; it is damaged, {_LISTED.again}"
            )
    entries = {name: FileEntry(int(size), checksum) for name, (size, checksum) in listed.items()}
    _LISTED.check_within(directory, entries, ALL if checksums else SMALL)
