"""Files with their sizes and checksums: written as data come, compared with what the manifest says."""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ...errors import InputError

_CHUNK = 1 << 24  # bytes read at once


class FileEntry(NamedTuple):
    size: int  # bytes
    crc32: str  # eight hexadecimal digits


class FileWriter:
    """A new file that grows; what it holds is known at the end without reading it. A full disk is an OSError."""

    def __init__(self, path: Path):
        self.path = path
        self._file = open(path, "xb")
        self._size = self._crc = 0

    def write(self, data) -> None:
        """Append bytes or a contiguous array."""
        self._file.write(data)
        self._size += memoryview(data).nbytes
        self._crc = zlib.crc32(data, self._crc)

    def finish(self) -> FileEntry:
        """Everything is on disk when this returns."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return FileEntry(self._size, f"{self._crc:08x}")

    def close(self) -> None:
        with suppress(OSError):  # what could not be written is not wanted any more
            self._file.close()


def measure(path: Path) -> FileEntry:
    """Read a file to its end."""
    crc = size = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
    return FileEntry(size, f"{crc:08x}")


def check_files(directory: Path, files: dict[str, FileEntry], contents: bool = False) -> None:
    """Compare sizes, or all ``contents``, of files by their path from the directory.

    Raises:
        InputError: a file is missing, cannot be read, has another size or another checksum.
    """
    for name, expected in files.items():
        path = directory / name
        try:
            size = path.stat().st_size
            if size != expected.size:
                raise InputError(f"{path}: has {size} bytes, manifest.json says {expected.size}; it is damaged, copy or build the index again")
            if contents and measure(path) != expected:
                raise changed(path)
        except OSError as error:
            raise unreadable(error, path) from None


def changed(path: Path) -> InputError:
    """What to raise when the content of a file is not what was written."""
    return InputError(f"{path}: its checksum is not the one in manifest.json; it is damaged, copy or build the index again")


def unreadable(error: OSError, path: Path) -> InputError:
    """What to raise when a file that the manifest names cannot be read."""
    if isinstance(error, FileNotFoundError):
        path = path if path.parent.is_dir() else path.parent  # a whole segment
        return InputError(f"{path}: missing, so this is not a whole index; copy or build it again")
    return InputError(f"{path}: cannot be read: {error.strerror}")
