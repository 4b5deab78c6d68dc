"""SCAN's precomputed data: ``{split}_caps.txt``, one caption a line, five consecutive lines an image.

The files name no images: image i (from 0) of ``dev_caps.txt`` is called ``dev-i``, as is row i of ``dev_ims.npy``.
Their split ``dev`` is our ``val``; ``testall``, of which COCO's ``test`` is a part, stays a split of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator

from ...errors import InputError
from ..bad_records import BadRecords
from .files import read_lines
from .records import Caption, CaptionOptions

CAPTIONS_PER_IMAGE = 5
_SPLITS = ("train", "dev", "test", "testall")
_OUR_NAMES = {"dev": "val"}


def read(path: Path, bad: BadRecords, options: CaptionOptions) -> Iterator[Caption]:
    """Yield the captions of a directory's files, or of one.

    Raises:
        InputError: no such file, or a number of lines that is no multiple of five.
    """
    return read_fives(path, "_caps.txt")


def read_fives(path: Path, ending: str) -> Iterator[Caption]:
    """Yield every line of ``{split}ENDING``, or of all such files of a directory, as a caption."""
    for file in _files(path, ending):
        split = file.name[: -len(ending)]
        lines = list(read_lines(file))
        if len(lines) % CAPTIONS_PER_IMAGE:
            raise InputError(
                f"{file}: {len(lines)} lines, expected {CAPTIONS_PER_IMAGE} captions an image, one a line; "
                "the file is cut short or was edited"
            )
        for line, text in lines:
            image = f"{split}-{(line - 1) // CAPTIONS_PER_IMAGE}"
            yield Caption(image, text, _OUR_NAMES.get(split, split), f"{file}: line {line}")


def _files(path: Path, ending: str) -> list[Path]:
    if not os.path.isdir(path):
        if not path.name.endswith(ending) or path.name == ending:
            raise InputError(
                f"{path}: expected a directory or a file named SPLIT{ending}, such as train{ending}: "
                "the images are called after the split"
            )
        return [path]
    files = [path / f"{split}{ending}" for split in _SPLITS]
    files = [file for file in files if os.path.lexists(file)]
    if not files:
        raise InputError(f"{path}: holds none of {', '.join(split + ending for split in _SPLITS)}")
    return files
