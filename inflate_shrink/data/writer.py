"""Write a data set directory (see :mod:`.store`) image by image, with bounded memory."""

from __future__ import annotations

import json
import os
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..atomic import atomic_path
from ..errors import InputError
from .npy import create_npy
from .store import CAPTIONS_HEADER, FORMAT, IMAGES_HEADER
from .tsv import format_row


class StoreWriter:
    """Context manager that builds a data set; the directory appears whole on leaving it, or not at all.

    Args:
        directory: the new data set; must not exist yet.
        images: number of images that will be added.
        dimension: D of the region features.
        name, made_by, extractor, clustering, seed: provenance, kept in ``meta.json``.
        regions: R, slots per image.
        dtype: ``float16`` or ``float32`` on disk.
        extra: more keys for ``meta.json``.

    Example::

        with StoreWriter("data/mine", images=2, dimension=2048, name="mine", made_by="...") as writer:
            for ...:
                centres, boxes, count = cluster_regions(features, boxes)
                writer.add_image("17", 640, 480, "", centres[:count], boxes[:count])
                writer.add_caption("train", "17", "A dog on a sofa.")
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        *,
        images: int,
        dimension: int,
        name: str,
        made_by: str,
        extractor: str = "",
        clustering: str = "",
        seed: int | None = None,
        regions: int = 32,
        dtype: str = "float16",
        extra: dict | None = None,
    ):
        self._target = Path(directory)
        self._shape, self._dtype = (images, regions, dimension), dtype
        self._meta = dict(format=FORMAT, name=name, made_by=made_by, seed=seed, extractor=extractor, clustering=clustering)
        self._extra = extra or {}
        self._rows: dict[str, int] = {}  # image id -> row
        self._captions = 0
        self._checksum = 0

    def __enter__(self) -> StoreWriter:
        self._context = self._open()
        return self._context.__enter__()

    def __exit__(self, *exception):
        return self._context.__exit__(*exception)

    @contextmanager
    def _open(self):
        if os.path.lexists(self._target):
            raise InputError(f"{self._target}: already exists and is not replaced; remove it or choose another directory")
        with atomic_path(self._target) as self.directory:
            self.directory.mkdir()
            self._regions = create_npy(self.directory / "regions.npy", self._shape, self._dtype)
            self._counts = create_npy(self.directory / "region_counts.npy", self._shape[:1], "int32")
            self._boxes = create_npy(self.directory / "boxes.npy", (*self._shape[:2], 4), "float32")
            with self._table("images.tsv", IMAGES_HEADER) as self._images_file:
                with self._table("captions.tsv", CAPTIONS_HEADER) as self._captions_file:
                    yield self
            self._finish()

    @contextmanager
    def _table(self, name: str, header: tuple[str, ...]):
        with open(self.directory / name, "w", encoding="utf-8", newline="\n") as file:
            file.write(format_row(header))
            yield file

    def add_image(self, image_id: str, width: int, height: int, file: str, regions: np.ndarray, boxes: np.ndarray) -> None:
        """Append one image.

        Args:
            image_id: unique id.
            width, height: pixels.
            file: image file relative to the data set directory, or "".
            regions: (n, D) clustered regions, 1 <= n <= R; the other slots stay zero.
            boxes: (n, 4) x1, y1, x2, y2 in pixels.

        Raises:
            InputError: a repeated id, a wrong shape, more images than announced, or a
                feature that is NaN, infinite or too large for the type on disk.
        """
        image_id, row = str(image_id), len(self._rows)
        images, slots, dimension = self._shape
        if image_id in self._rows:
            raise InputError(f"{self._target}: image id {image_id!r} was added twice; ids must be unique")
        if row == images:
            raise InputError(f"{self._target}: image {image_id!r} is one more than the {images} announced")
        regions, count = np.asarray(regions), len(regions)
        if regions.shape != (count, dimension) or not 1 <= count <= slots or np.shape(boxes) != (count, 4):
            raise InputError(
                f"{self._target}: image {image_id!r}: expected regions (n, {dimension}) and boxes (n, 4) with n from 1 to {slots},"
                f" found {regions.shape} and {np.shape(boxes)}"
            )
        with np.errstate(over="ignore"):
            regions = regions.astype(self._dtype)
        if not np.isfinite(regions).all():
            raise InputError(f"{self._target}: image {image_id!r}: a feature is NaN, infinite or too large for {self._dtype}")
        self._images_file.write(format_row((image_id, int(width), int(height), file)))
        self._rows[image_id] = row
        self._regions[row, :count], self._boxes[row, :count], self._counts[row] = regions, boxes, count
        self._checksum = zlib.crc32(np.ascontiguousarray(regions), self._checksum)

    def add_caption(self, split: str, image_id: str, caption: str) -> None:
        """Append one caption of an image added before.

        Raises:
            InputError: the image is unknown, the text is empty or holds a tab or a newline.
        """
        image_id = str(image_id)
        if image_id not in self._rows:
            raise InputError(f"{self._target}: caption {caption[:40]!r} names image {image_id!r}, which was not added")
        if not split or not caption.strip():
            raise InputError(f"{self._target}: image {image_id!r}: the split or a caption is empty; leave such a caption out")
        self._captions_file.write(format_row((split, image_id, caption)))
        self._captions += 1

    def write_vocabulary(self, tokens: list[str]) -> None:
        """Write ``vocab.txt``, one WordPiece token a line."""
        (self.directory / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")

    def _finish(self) -> None:
        images = self._shape[0]
        if len(self._rows) != images:
            raise InputError(f"{self._target}: {images} images were announced, {len(self._rows)} added; nothing was written")
        for array in (self._regions, self._counts, self._boxes):
            array.flush()
        meta = dict(
            self._meta,
            images=images,
            captions=self._captions,
            regions_shape=list(self._shape),
            regions_dtype=self._dtype,
            regions_crc32=self._checksum,
            **self._extra,
        )
        (self.directory / "meta.json").write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
