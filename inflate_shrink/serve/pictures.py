"""The photos of an index, as pictures that a browser shows: always decoded and encoded anew, never a file as it is."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..digest import hex_digest
from ..errors import InputError
from ..extract.decode import open_photo
from ..extract.photos import MAX_BYTES, PhotoFolder
from .collection import OpenIndex
from .refusal import Refusal

SIDES = {"small": 320, "full": 2048}  # pixels of the longer side, at most
MEDIA_TYPE = "image/jpeg"
_QUALITY = 88
_CACHE_BYTES = 64 << 20


class Picture(NamedTuple):
    """A JPEG, without what its file says of place and camera. etag: changes with the photo's file."""

    data: bytes
    etag: str


class Pictures:
    """Makes pictures, and keeps those that were asked for last. Threads may share it.

    Attributes:
        kept: bytes that are kept, ``cache_bytes`` at most.
    """

    def __init__(self, cache_bytes: int = _CACHE_BYTES):
        self._lock, self._most, self._cache = threading.Lock(), cache_bytes, OrderedDict()
        self._archive, self.kept = lru_cache(8)(PhotoFolder), 0

    def picture(self, index: OpenIndex, item: str, size: str) -> Picture:
        """Return the picture of an image of an index, or of the image that a caption is of.

        Raises:
            Refusal: the index has no such item, it has no photo, or that cannot be read where the index has it.
        """
        root, name = _place(index, item)
        path, packed = Path(root, name), os.path.isfile(root)
        state = _state(root if packed else path, item)
        etag = hex_digest([f"{path}\0{state.st_mtime_ns}\0{state.st_size}\0{size}".encode("utf-8", "surrogatepass")])
        with self._lock:
            if etag in self._cache:
                self._cache.move_to_end(etag)
                return self._cache[etag]
        data = self._read(root, name, item) if packed else _read_file(path, item)
        picture = Picture(_encoded(data, item, SIDES[size]), etag)
        with self._lock:
            if etag not in self._cache:
                self._cache[etag] = picture
                self.kept += len(picture.data)
            while self.kept > self._most:
                self.kept -= len(self._cache.popitem(last=False)[1].data)
        return picture

    def _read(self, archive: str, name: str, item: str) -> bytes:
        try:
            return self._archive(archive).read(name)
        except InputError:
            raise _gone(item) from None


def has_photo(index: OpenIndex, file: str, image: str) -> bool:
    """Return whether an image has a photo, wherever that is. file: as the index has it."""
    if index.holds == "images":
        return bool(file)
    found = index.row_of(image)
    return found is not None and bool(found[0].store.image_files[found[1]])


def image_of(index: OpenIndex, item: str) -> str:
    """Return the image's id that a caption's id begins with, or an image's own."""
    return item if index.holds == "images" else item.rpartition("#")[0]


def _place(index: OpenIndex, item: str) -> tuple[str, str]:
    """Return the folder or archive of a photo, and its name there: never one outside."""
    file = index.file_of(item)
    if file is None:
        raise Refusal(404, f"the index holds no {index.holds[:-1]} {item!r}; ask for one that a search found")
    roots = index.roots
    if index.holds == "captions":
        found = index.row_of(image_of(index, item))
        file, roots = (
            ("", []) if found is None else (found[0].store.image_files[found[1]], [str(found[0].store.image_root)])
        )
    if not file or not roots:
        raise Refusal(404, f"the index knows no photo of {item!r}; what it was made of names no files")
    path = os.path.normpath(os.path.join(roots[0], file))
    for root in roots:
        if os.path.commonpath([root, path]) == root and path != root:
            return root, os.path.relpath(path, root)
    raise Refusal(404, f"the photo of {item!r} lies outside the folder of the index's photos and is not shown")


def _state(path: str | Path, item: str) -> os.stat_result:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        raise _gone(item) from None


def _read_file(path: Path, item: str) -> bytes:
    try:
        # Neither a pipe that waits for a writer nor a device that never ends.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                data = file.read(MAX_BYTES + 1)
                if len(data) <= MAX_BYTES:
                    return data
    except (OSError, ValueError):
        pass
    raise _gone(item)


def _encoded(data: bytes, item: str, side: int) -> bytes:
    from PIL import Image

    try:
        image = open_photo(data, repr(item), min_side=side).image
    except InputError as error:
        raise Refusal(404, f"the photo cannot be shown: {error}") from None
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _gone(item: str) -> Refusal:
    return Refusal(
        404,
        f"the photo of {item!r} is no longer where the index has it, or cannot be read; put the photos back, "
        "or start the service with --photos-root",
    )
