"""Splits of captions whose files name none: by lists of images, or drawn at random."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Iterable, NamedTuple, Sequence

from ...errors import InputError
from ..bad_records import BadRecords
from .files import read_lines, shown
from .records import Caption


class _Listed(NamedTuple):
    """A line of a list."""

    split: str
    where: str


def assign_splits(
    captions: Sequence[Caption], lists: dict[str, Path], val: float, test: float, seed: int, bad: BadRecords
) -> tuple[list[Caption], int]:
    """Give every caption a split: by the lists if there are any, else its own, else (no caption has one) at random.

    Args and errors are those of :func:`split_by_lists`, :func:`check_one_split` and :func:`split_by_proportion`.

    Returns:
        ``(captions, left_out)``: the latter is the number of images in no list.

    Raises:
        InputError: also where there are no lists and some captions have a split and others none.
    """
    if lists:
        return split_by_lists(captions, lists, bad)
    without = [caption for caption in captions if caption.split is None]
    if len(without) == len(captions):
        return split_by_proportion(captions, val, test, seed), 0
    if without:
        raise InputError(
            f"{without[0].where}: image {shown(without[0].image_id)} has no split, but others have; "
            "give every image one"
        )
    check_one_split(captions)
    return list(captions), 0


def split_by_lists(captions: Sequence[Caption], lists: dict[str, Path], bad: BadRecords) -> tuple[list[Caption], int]:
    """Give every caption the split whose list holds its image.

    A list holds one image name a line. ``1.jpg`` and ``1`` are the same image, ``1.jpg`` and ``1.png`` are not.

    Args:
        captions: their own splits are ignored.
        lists: split -> list file.
        bad: gets the listed images that have no captions.

    Returns:
        ``(captions, left_out)``: the captions of the listed images, in their order, and the number of other images.

    Raises:
        InputError: a list cannot be read, an image is in two lists, or no image is in any.
    """
    listed = _read_lists(lists)
    stems: dict[str, list[str]] = {}  # name without extension -> the listed names with it
    for name in listed:
        stems.setdefault(_stem(name), []).append(name)
    splits: dict[str, str | None] = {}
    used: set[str] = set()
    for image in dict.fromkeys(caption.image_id for caption in captions):
        stem = _stem(image)
        candidates = stems.get(stem, []) if image == stem else [image, stem]
        names = [name for name in candidates if name in listed]
        _check_same_split(image, [listed[name] for name in names])
        splits[image] = listed[names[0]].split if names else None
        used.update(names)
    for name, line in listed.items():
        if name not in used:
            bad.report(f"{line.where}: image {shown(name)} has no captions")
    chosen = [
        caption._replace(split=splits[caption.image_id]) for caption in captions if splits[caption.image_id] is not None
    ]
    if not chosen:
        raise InputError(
            f"{', '.join(map(str, lists.values()))}: none of the {len(splits)} images with captions is listed; "
            "check the names"
        )
    return chosen, sum(split is None for split in splits.values())


def split_by_proportion(captions: Sequence[Caption], val: float, test: float, seed: int) -> list[Caption]:
    """Draw the images of ``val`` and ``test``; the others are ``train``.

    The draw depends on the seed and the image names alone, not on the order of the captions. A split with a
    proportion above 0, and train, gets at least one image.

    Args:
        captions: their own splits are ignored.
        val, test: proportions of the images, from 0, together below 1.
        seed: another seed draws other images.

    Raises:
        InputError: proportions out of range, or fewer images than splits.
    """
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        raise InputError(f"proportions of val {val} and test {test}: expected two numbers from 0, together below 1")
    images = sorted({caption.image_id for caption in captions}, key=lambda image: _draw(image, seed))
    sizes = {split: max(1, round(share * len(images))) for split, share in (("val", val), ("test", test)) if share > 0}
    if len(images) <= len(sizes):
        raise InputError(
            f"{len(images)} images are too few for train, {', '.join(sizes)}: expected at least {len(sizes) + 1}"
        )
    while sum(sizes.values()) >= len(images):
        sizes[max(sizes, key=sizes.__getitem__)] -= 1
    split_of = dict.fromkeys(images, "train")
    start = 0
    for split, size in sizes.items():
        split_of.update(dict.fromkeys(images[start : start + size], split))
        start += size
    return [caption._replace(split=split_of[caption.image_id]) for caption in captions]


def check_one_split(captions: Iterable[Caption]) -> None:
    """Raise InputError if an image has captions of two splits: it would be trained on and tested on."""
    first: dict[str, _Listed] = {}
    for image, _, split, where in captions:
        line = _Listed("no split" if split is None else repr(split), where)
        _check_same_split(image, [first.setdefault(image, line), line])


def _check_same_split(image: str, lines: Sequence[_Listed]) -> None:
    for line in lines[1:]:
        if line.split != lines[0].split:
            raise InputError(
                f"image {shown(image)} is in two splits: {lines[0].split} ({lines[0].where}) and {line.split} "
                f"({line.where}); keep it in one"
            )


def _read_lists(lists: dict[str, Path]) -> dict[str, _Listed]:
    """Return the line that lists each image name; a name may be repeated within one split."""
    listed: dict[str, _Listed] = {}
    for split, path in lists.items():
        for number, text in read_lines(Path(path)):
            name = text.strip()
            if name:
                line = _Listed(split, f"{path}: line {number}")
                _check_same_split(name, [listed.setdefault(name, line), line])
    return listed


def _stem(name: str) -> str:
    """Return a name without its extension; a dot that begins a name begins no extension."""
    folder, slash, last = name.rpartition("/")
    stem, dot, _ = last.rpartition(".")
    return f"{folder}{slash}{stem}" if dot and stem else name


def _draw(image: str, seed: int) -> tuple[bytes, str]:
    return hashlib.sha256(f"{seed} {image}".encode()).digest(), image
