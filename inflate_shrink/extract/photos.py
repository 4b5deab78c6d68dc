"""A user's own photos, found in a directory or a zip archive; :mod:`.decode` opens them.

    folder = PhotoFolder("holiday.zip")
    for problem in folder.bad:
        bad_records.report(problem)
    for name in folder.names:
        photo = open_photo(folder.read(name), folder.where(name))

A file that is no photo, or a damaged one, costs one InputError and never more than that.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
from pathlib import Path, PurePosixPath

from ..data.zip_members import check_method
from ..digest import hex_digest
from ..errors import InputError, in_one_line

# The most bytes of a file, so that neither a video nor a small archive of zeros fills the memory; no JPEG of MAX_PIXELS
# has more.
MAX_BYTES = 1 << 28

_NOT_PHOTOS = ("__macosx", "thumbs.db", "desktop.ini")


class PhotoFolder:
    """The files of a directory and its subdirectories, or of a ``.zip`` archive.

    Attributes:
        names: posix paths relative to the source, sorted. Every regular file is here, photo or
            not, but for hidden ones, ``__MACOSX``, ``Thumbs.db`` and ``desktop.ini``.
            Links to files are followed, links to directories are not.
        bad: one message for each file that :meth:`read` will not open: names that a
            table cannot hold, members of an archive that point outside it, broken links.

    Nothing of an archive is ever written to disk. Can be sent to other processes, and used
    after a fork; each process opens the archive itself.

    Args:
        source: the directory or the archive.

    Raises:
        InputError: the source is missing, unreadable, empty, neither a directory nor
            an archive, or a password protects it.
    """

    def __init__(self, source: str | os.PathLike):
        self.source = Path(source)
        self.bad: list[str] = []
        self._archive: tuple[int, zipfile.ZipFile] | None = None  # opened by the process with this id
        self._members: dict[str, int] | None = None  # name -> index in the archive
        if os.path.isdir(self.source):
            self.names = sorted(self._walk())
        elif os.path.isfile(self.source):
            self._members = self._list_archive()
            self.names = sorted(self._members)
        else:
            raise InputError(f"{self.source}: no such directory or .zip archive of photos; check the path")
        if not self.names:
            raise InputError(
                self.bad[0]
                if self.bad
                else f"{self.source}: holds no files; give a directory or a .zip archive of photos"
            )
        self._known = frozenset(self.names)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_archive": None}

    def where(self, name: str) -> str:
        """Return how messages call a file."""
        return f"{self.source}/{name}" if self._members is None else f"{self.source}: {name}"

    def fingerprint(self) -> str:
        """Return 16 hex digits that change when a file is added, removed or written."""
        names = self.names if self._members is None else [""]
        states = ((name, os.stat(self.source / name)) for name in names)
        return hex_digest(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\0".encode() for name, state in states)

    def read(self, name: str) -> bytes:
        """Read the bytes of one of ``names``; raise InputError if it is not one, is too large or cannot be read."""
        if name not in self._known:
            raise InputError(f"{self.source}: holds no file {name!r} that can be opened; check the name")
        where = self.where(name)
        try:
            if self._members is None:
                with open(self.source / name, "rb") as file:
                    _check_bytes(os.fstat(file.fileno()).st_size, where)
                    return file.read()
            archive = self._open_archive()
            member = archive.infolist()[self._members[name]]
            # If it is deflated, zipfile gives no more than the size that it promises.
            _check_bytes(member.file_size, where)
            check_method(member, where)
            with archive.open(member) as file:
                data = file.read(member.file_size)  # told the size, zipfile needs no copy
                file.read(1)  # it compares the checksum on reaching the end
                return data
        except InputError:
            raise
        except Exception as error:  # zipfile lets many kinds through from a damaged archive
            raise InputError(f"{where}: cannot be read: {in_one_line(error)}; copy it again or leave it out") from error

    def _walk(self):
        """Yield the good names of a directory, note the bad ones."""
        for directory, subdirectories, files in os.walk(self.source, onerror=self._unlistable):
            subdirectories[:] = [name for name in subdirectories if not _hidden(name)]
            prefix = Path(directory).relative_to(self.source)
            for file in files:
                if _hidden(file):
                    continue
                name = (prefix / file).as_posix()
                path = os.path.join(directory, file)
                if os.path.isfile(path):
                    if self._can_be_written(name):
                        yield name
                elif not os.path.exists(path):
                    self._report(name, "a link to a file that does not exist; remove it")

    def _unlistable(self, error: OSError) -> None:
        self.bad.append(
            f"{error.filename}: cannot be listed: {in_one_line(error)}; change its permissions or leave it out"
        )

    def _list_archive(self) -> dict[str, int]:
        members = {}
        for index, member in enumerate(self._open_archive().infolist()):
            raw = member.orig_filename  # zipfile cuts filename at a NUL
            name = PurePosixPath(raw).as_posix()  # ./a//b.jpg is a/b.jpg
            if (
                "\\" in raw
                or "\0" in raw
                or raw.startswith("/")
                or re.match("[A-Za-z]:/", raw)
                or ".." in name.split("/")
            ):
                self._report(
                    raw, "leads outside the archive or holds a backslash, so it is not opened; pack the photos again"
                )
            elif member.is_dir() or any(map(_hidden, name.split("/"))) or not self._can_be_written(name):
                continue
            elif stat.S_ISLNK(member.external_attr >> 16):
                self._report(name, "a link, which is not followed in an archive; pack the photo itself")
            elif member.flag_bits & 1:
                raise InputError(f"{self.source}: protected by a password; unpack it and give the directory")
            elif name in members:
                self._report(name, "the archive holds this name more than once; the first is used")
            else:
                members[name] = index
        return members

    def _open_archive(self) -> zipfile.ZipFile:
        if self._archive is None or self._archive[0] != os.getpid():  # processes share the file offset after a fork
            try:
                self._archive = os.getpid(), zipfile.ZipFile(self.source)
            except Exception as error:  # zipfile lets many kinds through
                raise InputError(
                    f"{self.source}: neither a directory nor a whole .zip archive ({in_one_line(error)}); "
                    "give one of them, or copy it again"
                ) from error
        return self._archive[1]

    def _can_be_written(self, name: str) -> bool:
        """Return whether a UTF-8 table can hold the name; note it if not."""
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            self._report(name, "the name is not UTF-8; rename it")
            return False
        if any(separator in name for separator in "\t\n\r"):
            self._report(name, "the name holds a tab or a newline, which a table cannot store; rename it")
            return False
        return True

    def _report(self, name: str, reason: str) -> None:
        self.bad.append(f"{self.source}: {name!r}: {reason}")


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _NOT_PHOTOS


def _check_bytes(size: int, where: str) -> None:
    if size > MAX_BYTES:
        raise InputError(f"{where}: {size} bytes, more than the limit of {MAX_BYTES}; make it smaller or leave it out")
