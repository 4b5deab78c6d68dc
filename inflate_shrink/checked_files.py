"""Files whose sizes and checksums are listed beside them: written as data come, compared with the list."""

from __future__ import annotations

import json
import os
import re
import stat
import zlib
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Callable, NamedTuple

from .errors import InputError
from .json_values import JsonMapping, parse_json

SMALL = 1 << 20  # bytes: reading a file up to this size costs nothing
ALL, NONE = float("inf"), -1
_CRC32 = re.compile("[0-9a-f]{8}")
_CHUNK = 1 << 24  # bytes read at once


class FileEntry(NamedTuple):
    """What a list says of one file."""

    size: int  # bytes
    crc32: str  # eight hexadecimal digits


class FileList(NamedTuple):
    """Where files are listed, and what they make: for what is said of a file that is not as listed."""

    name: str  # manifest.json
    whole: str  # index
    again: str = "copy or build it again"

    def write(self, directory: Path, content: dict | None = None, without: tuple[str, ...] = ()) -> None:
        """Write the list: ``content``, all files that are in ``directory`` by now as ``files``, its own checksum."""
        paths = (path for path in sorted(directory.iterdir()) if path.is_file())
        files = {path.name: measure(path) for path in paths if path.name not in (self.name, *without)}
        content = {**(content or {}), "files": files}
        text = json.dumps({"crc32": _checksum_of(content), **content}, indent=1, ensure_ascii=False)
        (directory / self.name).write_text(text + "\n", encoding="utf-8")

    def read(self, directory: Path) -> dict:
        """Read what :meth:`write` wrote, ``files`` as :class:`FileEntry`; raises InputError if the list is damaged."""
        path = directory / self.name
        try:
            kept = parse_json(path.read_bytes(), path, self.again)
        except OSError as error:
            raise self.unreadable(error, path) from None
        content = {key: value for key, value in kept.value.items() if key != "crc32"}
        if kept.text("crc32") != _checksum_of(content):
            raise InputError(f"{path}: damaged (its checksum is wrong); {self.again}")
        return {**content, "files": parse_files(kept.mapping("files"))}

    def check_all(self, directory: Path, contents: Callable[[str, FileEntry], bool] = lambda name, entry: True) -> dict:
        """Read the list and compare all sizes, and the contents of files that ``contents`` says; raises InputError."""
        content = self.read(directory)
        for name, entry in content["files"].items():
            self.check_within(directory, {name: entry}, ALL if contents(name, entry) else NONE)
        return content

    def check(self, path: Path, expected: FileEntry, contents: bool) -> None:
        """Compare a file's size, or all its ``contents``; raises InputError if it is missing, unreadable or another."""
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{path}: is no regular file; {self.again}")
            if status.st_size != expected.size:
                problem = f"has {status.st_size} bytes, {self.name} says {expected.size}"
                raise InputError(f"{path}: {problem}; it is damaged, {self.again}")
            if contents and measure(path) != expected:
                raise self.changed(path)
        except OSError as error:
            raise self.unreadable(error, path) from None

    def check_within(self, directory: Path, files: dict[str, FileEntry], contents_up_to: float) -> None:
        """Check files by their paths from the directory, which none may leave: not by ``..``, nor by a symbolic link.

        Args:
            contents_up_to: bytes of a file whose contents are compared too; ALL, NONE.
        """
        root, places = os.path.join(os.path.realpath(directory), ""), {}
        for name, expected in files.items():
            path, parts = directory / name, PurePosixPath(name).parts
            within = parts and parts[0] != "/" and ".." not in parts
            if not within or str(PurePosixPath(*parts)) != name or not name.isprintable():
                problem = f"{name!r} is not the path of a file within its directory"
                raise InputError(f"{directory / self.name}: {problem}; it is damaged, {self.again}")
            if path.parent not in places:
                places[path.parent] = os.path.join(os.path.realpath(path.parent), "")
            place = os.path.realpath(path) if path.is_symlink() else places[path.parent]
            if not place.startswith(root):
                raise InputError(f"{path}: is a symbolic link out of {directory}; put the files themselves there")
            self.check(path, expected, expected.size <= contents_up_to)

    def changed(self, path: Path) -> InputError:
        """Return what to raise when the content of a file is not what was written."""
        return InputError(f"{path}: its checksum is not the one in {self.name}; it is damaged, {self.again}")

    def unreadable(self, error: OSError, path: Path) -> InputError:
        """Return what to raise when a file cannot be read."""
        if isinstance(error, FileNotFoundError):
            path = path if path.parent.is_dir() else path.parent  # a whole directory
            return InputError(f"{path}: missing, so this is not a whole {self.whole}; {self.again}")
        return InputError(f"{path}: cannot be read: {error.strerror}")


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
        """Close the file; everything is on disk when this returns."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return FileEntry(self._size, f"{self._crc:08x}")

    def close(self) -> None:
        """Close the file, whether or not all of it could be written."""
        with suppress(OSError):  # what could not be written is not wanted any more
            self._file.close()


def parse_files(kept: JsonMapping) -> dict[str, FileEntry]:
    """Return a list of files from JSON, [size, checksum] by path; raises InputError that names what is none."""
    files = {}
    for name in kept:
        value = kept.get(name)
        size, checksum = value if isinstance(value, list) and len(value) == 2 else (None, None)
        if type(size) is not int or size < 0 or not isinstance(checksum, str) or not _CRC32.fullmatch(checksum):
            raise kept.damaged(name, "no size and checksum")
        files[name] = FileEntry(size, checksum)
    return files


def _checksum_of(content: dict) -> str:
    return f"{zlib.crc32(json.dumps(content, sort_keys=True).encode()):08x}"


def measure(path: Path) -> FileEntry:
    """Read a file to its end."""
    crc = size = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
    return FileEntry(size, f"{crc:08x}")
