"""Captions from the user's files: a reader for each format, and the checks that all of them need."""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Iterable, Sequence

from ...digest import hex_digest
from ...errors import InputError
from ..bad_records import BadRecords
from ..image_ids import SURROGATE, safe_name
from . import coco, jsonl, karpathy, released, scan, table, token_file
from .files import shown
from .records import Caption, CaptionOptions

FORMATS = {
    "flickr": token_file.read,
    "karpathy": karpathy.read,
    "coco": coco.read,
    "csv": partial(table.read, **table.CSV),
    "tsv": partial(table.read, **table.TSV),
    "jsonl": jsonl.read,
    "json": jsonl.read_list,
    "scan": scan.read,
    "released": released.read,
}

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # Unicode's own line separators are among them


def read_captions(
    sources: Sequence[str], format: str, bad: BadRecords, options: CaptionOptions = CaptionOptions()
) -> list[Caption]:
    """Read the captions of some files, in their order.

    Args:
        sources: ``PATH``, or ``SPLIT=PATH``, where the split replaces what the file says. What exists as a
            path is a path, whether it holds ``=`` or not.
        format: a name of :data:`FORMATS`.
        bad: gets what cannot be used: malformed records, empty captions, images that are no name inside a folder.
        options: see there.

    Returns:
        The captions, without control characters and without spaces around them.

    Raises:
        InputError: no such format, a file that cannot be read, holds no usable caption or is given twice,
            or a bad record that ``bad`` does not skip.
    """
    if format not in FORMATS:
        raise InputError(f"caption format {format!r}: unknown, expected one of: {', '.join(FORMATS)}")
    captions: list[Caption] = []
    given: dict[str, str] = {}
    for source in sources:
        split, path = _split_and_path(source)
        place = os.path.realpath(path)
        if place in given:
            raise InputError(f"{path}: given twice, as {given[place]!r} and as {source!r}; name each file once")
        given[place] = source
        before = len(captions)
        for caption in FORMATS[format](path, bad, options):
            caption = caption._replace(text=_CONTROL.sub(" ", caption.text).strip(), split=split or caption.split)
            problem = _problem(caption)
            if problem:
                bad.report(f"{caption.where}: {problem}")
            else:
                captions.append(caption)
        if len(captions) == before:
            raise InputError(f"{path}: no usable caption of the format {format!r}")
    if not captions:
        raise InputError("no caption file given")
    return captions


def caption_files(sources: Sequence[str]) -> list[str]:
    """Name and the first 16 digits of the SHA-256 of each file that :func:`read_captions` reads, for ``meta.json``."""
    files = []
    for _, path in map(_split_and_path, sources):
        files += sorted(path.glob("*_caps.txt*")) if path.is_dir() else [path]
    return [f"{file.name} sha256:{hex_digest([file])}" for file in files]


def first_captions(captions: Iterable[Caption], most: int) -> list[Caption]:
    """Return the first ``most`` captions of each image, in their order."""
    seen: Counter[str] = Counter()
    kept = []
    for caption in captions:
        seen[caption.image_id] += 1
        if seen[caption.image_id] <= most:
            kept.append(caption)
    return kept


def duplicate_captions(captions: Iterable[Caption]) -> int:
    """Return how many captions repeat an earlier one of the same image, letter for letter."""
    texts = [(caption.image_id, caption.text) for caption in captions]
    return len(texts) - len(set(texts))


def _split_and_path(source: str) -> tuple[str | None, Path]:
    split, equals, path = source.partition("=")
    if not equals or os.path.exists(source) or "/" in split:
        return None, Path(source)
    if not (split.strip() and path):
        raise InputError(f"{source!r}: expected PATH or SPLIT=PATH, such as train=captions.json")
    return split, Path(path)


def _problem(caption: Caption) -> str:
    """Return what is wrong with a caption, or "" if nothing is."""
    for name, value in (("image", caption.image_id), ("caption", caption.text), ("split", caption.split)):
        if value is None:
            continue
        if not value.strip():
            return f"the {name} is empty"
        if SURROGATE.search(value):
            return f"the {name} {shown(value)} holds half of a surrogate pair, which is no character"
        if _CONTROL.search(value):
            return f"the {name} {shown(value)} holds a tab, a newline or another control character"
    if not safe_name(caption.image_id):
        return f"the image {shown(caption.image_id)} must not leave the image folder; give its name inside the folder"
    return ""
