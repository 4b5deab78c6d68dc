"""The on-disk format of every data set: one directory, read lazily.

    captions.tsv       header ``split  image_id  caption``, one caption a line
    images.tsv         header ``image_id  width  height  file``, one line per row of the arrays
    regions.npy        (N, R, D) float16 or float32 cluster centres, zeros after the valid ones
    region_counts.npy  (N,) int32 valid regions of each image, 1..R
    boxes.npy          (N, R, 4) float32 x1, y1, x2, y2 in pixels, for display only
    mirrored_regions.npy, mirrored_region_counts.npy
                       optional: the same of the mirrored photos, to train on; 0 regions where a photo has no such
    vocab.txt          optional WordPiece vocabulary of the data set
    meta.json          format version, origin, shapes, checksums of the features
    files.json         size and checksum of each of the others; absent in older data sets

:mod:`.writer` makes such a directory; this module opens and checks it. Everything that
can be checked without reading the features and boxes is checked on opening, the checksums of those by
:mod:`.verify`. That features are numbers is checked as they are read.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..checked_files import FileList
from ..digest import hex_digest
from ..errors import InputError, in_one_line
from .extractors import EXTRACTION, whole_first
from .npy import open_npy
from .tsv import read_rows

FORMAT = 1
LISTED = FileList("files.json", "data set", "copy or build it again, or remove files.json if you edited it")
MIRRORED = "mirrored_"  # what the names of the arrays of mirrored photos begin with
CAPTIONS_HEADER = ("split", "image_id", "caption")
IMAGES_HEADER = ("image_id", "width", "height", "file")
_MOST_DIGITS = 9  # of an image's width or height


@dataclass(frozen=True, eq=False)
class Split:
    """The captions of one split and the images they describe, both in file order.

    ``caption_image[c]`` indexes ``image_rows`` and ``image_ids``; ``image_rows[i]`` is a
    row of the store's arrays. Images come in the order of their first caption.
    """

    name: str
    captions: list[str]
    caption_image: np.ndarray  # (n_captions,) int64
    image_rows: np.ndarray  # (n_images,) int64
    image_ids: list[str]


@dataclass(frozen=True, eq=False)
class Store:
    """An opened data set; arrays are memory-mapped read-only. Made by :func:`open_store`."""

    directory: Path
    meta: dict
    image_ids: list[str]  # N
    image_sizes: np.ndarray  # (N, 2) int64 width, height in pixels
    image_files: list[str]  # N, relative to `image_root`, "" where there is none
    caption_splits: list[str]  # M
    caption_rows: np.ndarray  # (M,) int64 rows of the arrays
    captions: list[str]  # M
    regions: np.ndarray  # (N, R, D) float16 or float32
    region_counts: np.ndarray  # (N,) int32
    boxes: np.ndarray  # (N, R, 4) float32
    mirrored_regions: np.ndarray | None = None  # (N, R, D) of the mirrored photos
    mirrored_counts: np.ndarray | None = None  # (N,) int32, 0 where an image has none

    @property
    def regions_made_by(self) -> dict[str, str]:
        """Return what made the regions: "extractor" and "clustering", each "" where it is not known."""
        return {key: str(self.meta.get(key) or "") for key in ("extractor", "clustering")}

    @property
    def whole_first(self) -> bool:
        """Return whether the first region of each image is the whole photo."""
        return whole_first(self.meta.get(EXTRACTION))

    @property
    def vocabulary(self) -> Path:
        """Return where the data set's own WordPiece vocabulary is, if it has one."""
        return self.directory / "vocab.txt"

    @property
    def image_root(self) -> Path:
        """Return the absolute path that ``image_files`` start from, a directory or a .zip archive; it may be gone."""
        return Path(os.path.abspath(self.directory / self.meta.get("image_root", "")))

    def image_path(self, row: int) -> Path | None:
        """Return the image file of a row, None where it is unknown.

        It may be gone, or be a member of a .zip ``image_root``.
        """
        file = self.image_files[row]
        return self.image_root / file if file else None

    def split(self, name: str) -> Split:
        """Return the captions and images of one split; raise InputError if no caption belongs to it."""
        chosen = [i for i, split in enumerate(self.caption_splits) if split == name]
        if not chosen:
            existing = ", ".join(dict.fromkeys(self.caption_splits)) or "none"
            if not self.captions:
                raise InputError(
                    f"{self.directory}: holds regions but no captions; tools/prepare_data.py --regions "
                    f"{self.directory} adds them"
                )
            raise InputError(
                f"{self.directory / 'captions.tsv'}: no caption of split {name!r}; its splits are: {existing}"
            )
        rows, first, caption_image = np.unique(self.caption_rows[chosen], return_index=True, return_inverse=True)
        order = np.argsort(first)  # np.unique sorts by row; we want first appearance
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return Split(
            name=name,
            captions=[self.captions[i] for i in chosen],
            caption_image=rank[caption_image.reshape(-1)],
            image_rows=rows[order],
            image_ids=[self.image_ids[row] for row in rows[order]],
        )

    def with_mirrored(self, rows: np.ndarray) -> np.ndarray:
        """Return which of some rows (B,) have regions of the mirrored photo too, (B,) bool."""
        rows = np.asarray(rows, np.int64)
        return np.zeros(len(rows), bool) if self.mirrored_counts is None else self.mirrored_counts[rows] > 0

    def read_regions(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """Read the regions of some images.

        Args:
            rows: (B,) rows of the arrays, in any order, repeats allowed; N + row: the mirrored photo of an image
                that has it, see :meth:`with_mirrored`.

        Returns:
            ``(regions, counts)``: (B, R, D) float32 and (B,) int32, in the order asked for.

        Raises:
            InputError: a feature read is NaN or infinite.
        """
        rows, images = np.asarray(rows, np.int64), len(self.regions)
        order = np.argsort(rows, kind="stable")  # file order, so that a disk is read forwards
        regions = np.empty((len(rows), *self.regions.shape[1:]), np.float32)
        for position in order:
            row = rows[position]
            regions[position] = self.regions[row] if row < images else self.mirrored_regions[row - images]
        self._check_finite(regions, rows)
        if self.mirrored_counts is None:
            return regions, self.region_counts[rows]
        mirrored, rows = rows >= images, rows % images
        return regions, np.where(mirrored, self.mirrored_counts[rows], self.region_counts[rows])

    def _check_finite(self, regions: np.ndarray, rows: np.ndarray) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            suspects = np.flatnonzero(~np.isfinite(regions.sum((1, 2))))  # a finite sum has finite terms
        for suspect in suspects:
            if not np.isfinite(regions[suspect]).all():
                row = rows[suspect] % len(self.regions)
                file = "regions.npy" if row == rows[suspect] else f"{MIRRORED}regions.npy"
                raise InputError(
                    f"{self.directory / file}: row {row} (image {self.image_ids[row]}) contains NaN or "
                    "infinity;"
                    " extract this image again and rebuild the data set"
                )

    def fingerprint(self) -> str:
        """Return 16 hex digits that change with the data; the captions are read but not the features.

        ``meta.json`` holds a checksum of the features, so other features of the same
        size give another fingerprint.
        """
        read = [self.directory / name for name in ("meta.json", "images.tsv", "captions.tsv")]
        arrays = ("regions.npy", "region_counts.npy", "boxes.npy")
        sizes = [f"{name} {os.path.getsize(self.directory / name)}".encode() for name in arrays]
        return hex_digest([*read, *sizes])


def open_store(directory: str | os.PathLike) -> Store:
    """Open and validate a data set directory without reading its features.

    Raises:
        InputError: a file is missing, truncated or malformed, not as it was written, or two files disagree.

    >>> store = open_store(DATA)
    >>> split = store.split("test")
    >>> len(split.captions), len(split.image_rows)
    (50, 10)
    >>> regions, counts = store.read_regions(split.image_rows)
    >>> regions.shape, counts.shape
    ((10, 32, 128), (10,))
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise InputError(
            f"{directory}: no such data set directory; tools/prepare_data.py makes one of your data, "
            "tools/make_demo_data.py the demo's"
        )
    _require(directory, "meta.json", "images.tsv", "captions.tsv", "regions.npy", "region_counts.npy", "boxes.npy")
    meta = _read_meta(directory / "meta.json")
    regions, region_counts = _open_regions(directory, meta)
    mirrored_regions, mirrored_counts = None, None
    if "mirrored_crc32" in meta:
        _require(directory, f"{MIRRORED}regions.npy", f"{MIRRORED}region_counts.npy")
        mirrored_regions, mirrored_counts = _open_regions(directory, meta, MIRRORED, least=0)
    boxes = open_npy(directory / "boxes.npy", (*regions.shape[:2], 4), "float32")
    image_ids, image_sizes, image_files = _read_images(directory / "images.tsv", len(regions))
    caption_splits, caption_rows, captions = _read_captions(directory / "captions.tsv", image_ids, meta)
    # This check comes last: what is wrong in a line is the better message.
    if (directory / LISTED.name).exists():
        LISTED.check_all(directory, lambda name, entry: name != "boxes.npy")
    return Store(
        directory=directory,
        meta=meta,
        image_ids=image_ids,
        image_sizes=image_sizes,
        image_files=image_files,
        caption_splits=caption_splits,
        caption_rows=caption_rows,
        captions=captions,
        regions=regions,
        region_counts=region_counts,
        boxes=boxes,
        mirrored_regions=mirrored_regions,
        mirrored_counts=mirrored_counts,
    )


def _require(directory: Path, *names: str) -> None:
    for name in names:
        if not (directory / name).is_file():
            raise InputError(
                f"{directory / name}: missing, so this is not a whole data set; build it again with"
                " tools/prepare_data.py, tools/extract_regions.py or tools/make_demo_data.py"
            )


def _read_meta(path: Path) -> dict:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # malformed JSON or UTF-8, or brackets in brackets
        raise InputError(f"{path}: not valid JSON ({in_one_line(error)}); build the data set again") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        found = meta.get("format") if isinstance(meta, dict) else meta
        raise InputError(f"{path}: key 'format' is {found!r}, this version reads {FORMAT}; build the data set again")
    return meta


def _open_regions(directory: Path, meta: dict, prefix: str = "", least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    shape, dtype = meta.get("regions_shape"), meta.get("regions_dtype")
    if not (isinstance(shape, list) and len(shape) == 3) or dtype not in ("float16", "float32"):
        raise InputError(
            f"{directory / 'meta.json'}: expected regions_shape [images, regions, dimension] and regions_dtype"
            f" float16 or float32, found {shape!r} and {dtype!r}; build the data set again"
        )
    shape = tuple(shape)
    regions = open_npy(directory / f"{prefix}regions.npy", shape, dtype)
    path = directory / f"{prefix}region_counts.npy"
    counts = np.array(open_npy(path, shape[:1], "int32"))
    bad = np.flatnonzero((counts < least) | (counts > shape[1]))
    if bad.size:
        raise InputError(f"{path}: row {bad[0]} is {counts[bad[0]]}, expected {least} to {shape[1]}")
    return regions, counts


def _read_images(path: Path, expected: int) -> tuple[list[str], np.ndarray, list[str]]:
    line_of, sizes, files = {}, [], []
    for line, (image_id, width, height, file) in read_rows(path, IMAGES_HEADER):
        if image_id in line_of:
            raise InputError(
                f"{path}: line {line}: image id {image_id!r} is already on line {line_of[image_id]}; ids must be unique"
            )
        if not all(side.isdecimal() and len(side) <= _MOST_DIGITS for side in (width, height)):
            found = f"{width[:40]!r} and {height[:40]!r}"
            raise InputError(f"{path}: line {line}: expected width and height in whole pixels, found {found}")
        line_of[image_id] = line
        sizes.append((int(width), int(height)))
        files.append(file)
    if len(files) != expected:
        raise InputError(
            f"{path}: {len(files)} images, but regions.npy and meta.json have {expected}; "
            "the files belong to different builds"
        )
    return list(line_of), np.array(sizes, np.int64).reshape(-1, 2), files


def _read_captions(path: Path, image_ids: list[str], meta: dict) -> tuple[list[str], np.ndarray, list[str]]:
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    splits, rows, captions = [], [], []
    for line, (split, image_id, caption) in read_rows(path, CAPTIONS_HEADER):
        row = row_of.get(image_id)
        if row is None:
            raise InputError(
                f"{path}: line {line}: image id {image_id!r} is not in images.tsv; remove the line or add the image"
            )
        if not split or not caption.strip():
            raise InputError(f"{path}: line {line}: the split or the caption is empty; remove the line")
        splits.append(split)
        rows.append(row)
        captions.append(caption)
    if len(captions) != meta.get("captions"):
        raise InputError(
            f"{path}: {len(captions)} captions, but meta.json counts {meta.get('captions')};"
            " the file is cut short or was edited (then correct meta.json)"
        )
    return splits, np.array(rows, np.int64), captions
