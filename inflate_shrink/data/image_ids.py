"""Which caption file's image a region file's image is: the two name the same image differently."""

from __future__ import annotations

import re
from typing import Iterable

_EXTENSION = re.compile(r"\.(?:jpe?g|png|bmp|gif|webp|tiff?)$", re.IGNORECASE)
# Half a pair: an escape such as \ud800 in JSON, or how Python reads bytes that are not UTF-8.
SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"(?:(?:coco_(?:train|val|test)20(?:14|15|17)|flickr30k)_)?0*([0-9]+)", re.IGNORECASE)


class ImageIds:
    """Match names of images in region files with those in captions.

    Three keys, the strictest first:

    1. the name as it is;
    2. without the extension of an image file: ``sub/photo 1.JPG`` is ``sub/photo 1``;
    3. the number, if the name's last part is one, after ``COCO_train2014_``, ``flickr30k_`` and the like or
       alone, without leading zeros: ``COCO_val2014_000000391895.jpg`` is ``391895``. Folders are passed
       over unless both names have one and they differ.

    A key 2 or 3 that two captions' images share matches neither.
    """

    def __init__(self, caption_ids: Iterable[str]):
        self._exact: set[str] = set()
        self._stems: dict[str, str | None] = {}  # None: shared
        self._numbers: dict[str, str | None] = {}
        for caption_id in caption_ids:
            if caption_id not in self._exact:
                self._exact.add(caption_id)
                stem = _stem(caption_id)
                _note(self._stems, stem, caption_id)
                number = _number(stem)
                if number is not None:
                    _note(self._numbers, number, caption_id)

    def match(self, region_id: str) -> str | None:
        """Return the caption's image id that names the same image, or None."""
        if region_id in self._exact:
            return region_id
        stem = _stem(region_id)
        if stem in self._stems:
            return self._stems[stem]
        found = self._numbers.get(_number(stem))
        if found is None or _folders_differ(region_id, found):
            return None
        return found


def safe_name(name: str) -> bool:
    """Return whether an image id can be kept: it stays in a folder when used as a path, and fits a line of UTF-8 TSV.

    It cannot if it is empty or absolute, or has a ``..`` part, NUL, a tab, a line end or half a surrogate pair.
    """
    if not name or any(character in name for character in "\0\t\n\r") or SURROGATE.search(name):
        return False
    parts = re.split(r"[/\\]", name)
    drive = len(parts) > 1 and re.fullmatch(r"[A-Za-z]:", parts[0])
    return parts[0] != "" and not drive and ".." not in parts


def _stem(name: str) -> str:
    return _EXTENSION.sub("", name)


def _number(stem: str) -> str | None:
    match = _NUMBER.fullmatch(stem.rpartition("/")[2])
    return match and match[1]


def _folders_differ(one: str, other: str) -> bool:
    folders = one.rpartition("/")[0], other.rpartition("/")[0]
    return all(folders) and folders[0] != folders[1]


def _note(table: dict[str, str | None], key: str, caption_id: str) -> None:
    table[key] = None if key in table else caption_id
