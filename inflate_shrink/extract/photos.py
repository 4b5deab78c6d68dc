"""A user's own photos: found in a directory or a zip archive, and opened whatever is in them.

    folder = PhotoFolder("holiday.zip")
    for problem in folder.bad:
        bad_records.report(problem)
    for name in folder.names:
        photo = open_photo(folder.read(name), folder.where(name))

A file that is no photo, or a damaged one, costs one InputError and never more than that.
"""

from __future__ import annotations

import io
import logging
import os
import re
import stat
import threading
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data.zip_members import check_method
from ..digest import hex_digest
from ..errors import InputError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 178_956_970  # twice Pillow's limit for a warning, where Pillow itself refuses
# Bytes of a file, so that neither a video nor a small archive of zeros fills the memory; no JPEG of MAX_PIXELS has more.
MAX_BYTES = 1 << 28

# Other kinds are no photos, have no signature to tell them from text, or start other programs (EPS).
_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000", "AVIF", "PPM", "HEIF")
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")  # the four bytes after "ftyp" at the start of a file
_WITH_ALPHA = ("LA", "La", "PA", "P", "RGBA", "RGBa")
_NOT_PHOTOS = ("__macosx", "thumbs.db", "desktop.ini")
_UPRIGHT = {  # EXIF orientation -> what undoes it
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


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
            raise InputError(self.bad[0] if self.bad else f"{self.source}: holds no files; give a directory or a .zip archive of photos")
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
            _check_bytes(member.file_size, where)  # zipfile gives no more than the size that it promises, if it is deflated
            check_method(member, where)
            with archive.open(member) as file:
                data = file.read(member.file_size)  # told the size, zipfile needs no copy
                file.read(1)  # it compares the checksum on reaching the end
                return data
        except InputError:
            raise
        except Exception as error:  # zipfile lets many kinds through from a damaged archive
            raise InputError(f"{where}: cannot be read: {_reason(error)}; copy it again or leave it out") from error

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
        self.bad.append(f"{error.filename}: cannot be listed: {_reason(error)}; change its permissions or leave it out")

    def _list_archive(self) -> dict[str, int]:
        members = {}
        for index, member in enumerate(self._open_archive().infolist()):
            raw = member.orig_filename  # zipfile cuts filename at a NUL
            name = PurePosixPath(raw).as_posix()  # ./a//b.jpg is a/b.jpg
            if "\\" in raw or "\0" in raw or raw.startswith("/") or re.match("[A-Za-z]:/", raw) or ".." in name.split("/"):
                self._report(raw, "leads outside the archive or holds a backslash, so it is not opened; pack the photos again")
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
                    f"{self.source}: neither a directory nor a whole .zip archive ({_reason(error)}); give one of them, or copy it again"
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


class Photo(NamedTuple):
    """``image``: decoded, RGB, upright; ``width``, ``height``: upright, in pixels of the file, which ``image`` may be a reduction of."""

    image: Image.Image
    width: int
    height: int


def open_photo(data: bytes, where: str, max_pixels: int = MAX_PIXELS, min_side: int | None = None) -> Photo:
    """Decode a photo of any common kind; of several frames or pages the first.

    Transparency becomes white. 16 bits become 8; other integers and floats are taken as 0..1,
    0..255 or 0..65535, the first that holds them, or else stretched from their least to their
    greatest. Colour profiles are ignored.

    Threads take turns here, because Python keeps one list of warning filters for all of them;
    use processes to decode faster.

    Args:
        data: the whole file.
        where: what messages call it.
        max_pixels: refuse more, before decoding; so does Pillow by a limit of its own, the same by default.
        min_side: pixels of the shorter side that suffice. A larger JPEG is then decoded, several
            times faster, at a half, a quarter or an eighth, but never smaller than this.

    Raises:
        InputError: empty, not an image, damaged, cut short or too large.
    """
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise InputError(f"{where}: an empty file; copy it again or leave it out")
    try:
        with _quiet():
            Image.init()
            _read_heic(data, where)
            image = Image.open(io.BytesIO(data), formats=[name for name in _FORMATS if name in Image.OPEN])
            if image.width * image.height > max_pixels:
                raise InputError(
                    f"{where}: {image.width} x {image.height} pixels, more than the limit of {max_pixels}; make it smaller or leave it out"
                )
            return _decode(image, min_side)
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(
            f"{where}: not an image of a kind that can be read, or damaged at its start; convert it to JPEG or PNG, or leave it out"
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{where}: too many pixels: {_reason(error)}; make it smaller or leave it out") from error
    except Exception as error:  # damaged images make Pillow raise almost anything
        raise InputError(f"{where}: cut short or damaged: {_reason(error)}; copy it again or leave it out") from error


def _read_heic(data: bytes, where: str) -> None:
    """Let Pillow read a phone's HEIC, if this is one; raises InputError if the extra for that is not installed."""
    if data[4:8] != b"ftyp" or data[8:12] not in _HEIC:
        return
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise InputError(f"{where}: a HEIC photo; pip install inflate-shrink[heic] to read such, convert it to JPEG, or leave it out") from None
    register_heif_opener()


def _decode(image: Image.Image, min_side: int | None) -> Photo:
    from PIL import Image

    width, height = image.size
    if min_side is not None:
        image.draft("RGB", (min_side, min_side))  # does nothing but to a JPEG
    image.load()
    orientation = _orientation(image)  # read last, because loading may have turned a TIFF already
    image = _to_rgb(image)
    if orientation in _UPRIGHT:
        image = image.transpose(Image.Transpose[_UPRIGHT[orientation]])
    if orientation > 4:  # the photo lies on its side
        width, height = height, width
    return Photo(image, width, height)


def _orientation(image: Image.Image) -> int:
    """Return the orientation, 1 to 8 by EXIF, or 1 where that says nothing or nonsense."""
    try:
        orientation = int(image.getexif().get(0x0112, 1))
    except Exception:  # a broken EXIF block must not cost the photo
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bits(image)
    elif image.mode in _WITH_ALPHA or (image.mode in ("1", "L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Convert grey values of 16 or 32 bits or floats to mode L."""
    from PIL import Image

    values = np.asarray(image)
    flat, grey = values.reshape(-1), np.empty(values.size, np.uint8)
    low, top = 0.0, 65535.0
    if not image.mode.startswith("I;16") and image.format not in ("PNG", "PPM"):  # mode I holds 16 bits there
        finite = flat[np.isfinite(flat)]
        least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        # A resampled image overshoots its range a little.
        top = next((top for top in (1.0, 255.0, 65535.0) if most <= 1.1 * top), 0.0)
        if not top or least < -0.1 * top:
            low, top = least, (most - least) or 1.0
    for start in range(0, flat.size, 1 << 20):  # the largest photos would take gigabytes at once
        part = slice(start, start + (1 << 20))
        scaled = (flat[part].astype(np.float64) - low) * (255 / top)
        grey[part] = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255) + 0.5
    return Image.fromarray(grey.reshape(values.shape))


_LOCK = threading.Lock()
# Else a process forked meanwhile would wait for ever.
os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)
logging.getLogger("PIL").addHandler(logging.NullHandler())  # Python would print its errors where logging is not set up


@contextmanager
def _quiet():
    """Keep warnings from the user. Threads take turns, or one would restore the filters of another."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _NOT_PHOTOS


def _check_bytes(size: int, where: str) -> None:
    if size > MAX_BYTES:
        raise InputError(f"{where}: {size} bytes, more than the limit of {MAX_BYTES}; make it smaller or leave it out")


def _reason(error: Exception) -> str:
    """Return what an error says as one short line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200]
