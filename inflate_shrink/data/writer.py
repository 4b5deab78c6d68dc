"""Write a data set directory (see :mod:`.store`) image by image, with bounded memory."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np

from ..atomic import atomic_path
from ..errors import InputError
from .growing import GrowingNpy, GrowingRegions, GrowingTable
from .npy import read_header
from .partial import partial_path, require_unmade
from .store import CAPTIONS_HEADER, FORMAT, IMAGES_HEADER, LISTED, MIRRORED
from .tsv import format_row

# (N,) uint64: the first 16 hexadecimal digits of the SHA-256 of each image's file. Not every data set has it.
FILE_HASHES = "file_hashes.npy"


class StoreWriter:
    """Context manager that builds a data set; the directory appears whole on leaving it, or not at all.

    With ``inputs`` it is resumable: what an interrupted or killed process has written is kept beside
    the directory (see :func:`.partial.partial_path`), and the same call takes it up. Ask
    ``image_id in writer`` for the images that are there already; captions are always added anew.

    Args:
        directory: the new data set; must not exist yet.
        name, made_by, extractor, clustering, seed: provenance, kept in ``meta.json``.
        dimension: D of the region features; None: the first image's.
        regions: R, slots per image.
        dtype: ``float16`` or ``float32`` on disk.
        extra: more keys for ``meta.json``.
        inputs: what is read and how, as JSON has it: names, sizes and times of files, options. None: not resumable.
        file_hashes: also keep the hash of each image's file, in :data:`FILE_HASHES`.
        mirrored: also keep regions of mirrored photos, of the images that are added with them.

    Attributes:
        directory: to put more files of the data set into, inside the context.
        resumed: images taken over from an earlier call.
        slots: R.

    Example::

        with StoreWriter("data/mine", name="mine", made_by="...") as writer:
            for ...:
                writer.add_image("17", 640, 480, "", *cluster_regions(features, boxes))
                writer.add_caption("train", "17", "A dog on a sofa.")
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        *,
        name: str,
        made_by: str,
        dimension: int | None = None,
        extractor: str = "",
        clustering: str = "",
        seed: int | None = None,
        regions: int = 32,
        dtype: str = "float16",
        extra: dict | None = None,
        inputs: dict | None = None,
        file_hashes: bool = False,
        mirrored: bool = False,
    ):
        self.resumed = 0
        self._target = Path(directory)
        self.slots, self._dimension, self._dtype = regions, dimension, dtype
        self._file_hashes, self._mirrored = file_hashes, mirrored
        self._meta = dict(
            format=FORMAT, name=name, made_by=made_by, seed=seed, extractor=extractor, clustering=clustering
        )
        self._extra, self._inputs = extra or {}, inputs
        self._ids: set[str] = set()
        self._captions = 0

    def __enter__(self) -> StoreWriter:
        self._context = self._open()
        return self._context.__enter__()

    def __exit__(self, *exception):
        return self._context.__exit__(*exception)

    def __contains__(self, image_id: str) -> bool:
        return str(image_id) in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add_image(
        self,
        image_id: str,
        width: int,
        height: int,
        file: str,
        regions: np.ndarray,
        boxes: np.ndarray,
        file_hash: int = 0,
        mirrored: np.ndarray | None = None,
    ) -> None:
        """Append one image.

        Args:
            image_id: unique id.
            width, height: pixels, 0 if unknown.
            file: image file relative to the data set directory, or "".
            regions: (n, D) clustered regions, 1 <= n <= R; the other slots stay zero.
            boxes: (n, 4) x1, y1, x2, y2 in pixels.
            file_hash: of the image file, kept if the writer keeps file hashes.
            mirrored: (n', D) clustered regions of the mirrored photo, kept if the writer keeps such.

        Raises:
            InputError: a repeated id, a wrong shape, another dimension than the images before, a negative
                size, or a feature that is NaN, infinite or too large for the type on disk. The image
                is then left out; others may follow.
            OSError: a full disk, for instance; leaving the context makes it an InputError.
        """
        image_id, row = str(image_id), len(self._ids)
        if image_id in self._ids:
            raise InputError(f"{self._target}: image id {image_id!r} was added twice; ids must be unique")
        regions, boxes = np.asarray(regions), np.asarray(boxes)
        block = self._block(image_id, regions, boxes, self._dimension)
        if min(int(width), int(height)) < 0:
            raise InputError(
                f"{self._target}: image {image_id!r}: expected width and height in pixels, found {width} and {height}"
            )
        line = self._line((image_id, int(width), int(height), file))
        box_block = np.zeros((self.slots, 4), np.float32)
        with np.errstate(over="ignore"):
            box_block[: len(boxes)] = boxes
        blocks = [(block, len(regions))]
        if self._mirrored:
            mirrored = np.zeros((0, regions.shape[1])) if mirrored is None else np.asarray(mirrored)
            boxless = mirrored, np.zeros((len(mirrored), 4))
            blocks.append((self._block(image_id, *boxless, regions.shape[1], least=0), len(mirrored)))
        if self._dimension is None:
            self._open_arrays(regions.shape[1])
        for array, (block, count) in zip(self._regions, blocks):
            array.write(row, block, count)
        self._boxes.write(row, box_block)
        if self._file_hashes:
            self._arrays[-1].write(row, np.array([file_hash], np.uint64))
        self._images.append(line)  # comes last: a line promises that the arrays hold its row
        self._ids.add(image_id)

    def add_caption(self, split: str, image_id: str, caption: str) -> None:
        """Append one caption of an image added before.

        Raises:
            InputError: the image is unknown, the text is empty or holds a tab or a newline.
        """
        image_id = str(image_id)
        if image_id not in self._ids:
            raise InputError(f"{self._target}: caption {caption[:40]!r} names image {image_id!r}, which was not added")
        if not split or not caption.strip():
            raise InputError(
                f"{self._target}: image {image_id!r}: the split or a caption is empty; leave such a caption out"
            )
        self._captions_file.write(self._line((split, image_id, caption)))
        self._captions += 1

    def write_vocabulary(self, tokens: list[str]) -> None:
        """Write ``vocab.txt``, one WordPiece token a line."""
        (self.directory / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")

    @contextmanager
    def _open(self):
        require_unmade(self._target)
        # A name that cannot be written is refused before the work.
        self._json({**self._meta, **self._extra})
        if self._inputs is None:
            place = atomic_path(self._target)
        else:
            array = dict(regions=self.slots, dimension=self._dimension, dtype=self._dtype)
            if self._mirrored:
                array["mirrored"] = True
            place = partial_path(self._target, dict(self._meta, extra=self._extra, inputs=self._inputs, **array))
        with place as self.directory, ExitStack() as self._files:
            self.directory.mkdir(exist_ok=True)
            self._begin()
            self._captions_file = self._files.enter_context(open(self.directory / "captions.tsv", "wb"))
            self._captions_file.write(self._line(CAPTIONS_HEADER))
            yield self
            self._finish()

    def _begin(self) -> None:
        """Take up what is in the directory, or begin anew if it is of no use."""
        announced = self._dimension
        try:
            self._take_up()
        except (InputError, FileNotFoundError):
            pass
        self.resumed = len(self._ids)
        if not self.resumed:
            shutil.rmtree(self.directory)
            self.directory.mkdir()
            self._dimension = announced
            self._open_table()
            if announced is not None:
                self._open_arrays(announced)

    def _take_up(self) -> None:
        """Keep the images that are whole in all files; raises InputError or FileNotFoundError if one is of no use."""
        shape, _, _ = read_header(self.directory / "regions.npy")
        self._open_table()
        self._open_arrays(shape[-1] if shape else 0)
        lines = self._images.complete_lines()
        ids = _image_ids(lines)[: min(array.rows for array in self._arrays)]
        for row, image_id in enumerate(ids):
            if not all(array.holds(row) for array in self._regions):
                break
            for array in self._regions:
                array.take_up(row)
            self._ids.add(image_id)
        self._images.keep(lines[: len(self._ids)])

    def _open_table(self) -> None:
        self._images = GrowingTable(self.directory / "images.tsv", self._line(IMAGES_HEADER))
        self._files.enter_context(closing(self._images))

    def _open_arrays(self, dimension: int) -> None:
        self._dimension = dimension
        size = self.slots, dimension, self._dtype
        self._regions = [self._opened(GrowingRegions(self.directory, "", *size, least=1))]
        if self._mirrored:
            self._regions.append(self._opened(GrowingRegions(self.directory, MIRRORED, *size, least=0)))
        self._boxes = self._opened(GrowingNpy(self.directory / "boxes.npy", (self.slots, 4), "float32"))
        self._arrays = [*self._regions, self._boxes]
        if self._file_hashes:
            self._arrays.append(self._opened(GrowingNpy(self.directory / FILE_HASHES, (), "uint64")))

    def _opened(self, array):
        return self._files.enter_context(closing(array))

    def _block(
        self, image_id: str, regions: np.ndarray, boxes: np.ndarray, expected: int | None, least: int = 1
    ) -> np.ndarray:
        """Return regions in their slots, rounded to the type on disk; raises InputError if they do not fit."""
        count, dimension = regions.shape if regions.ndim == 2 else (0, 0)
        if not (least <= count <= self.slots and dimension and boxes.shape == (count, 4)):
            raise InputError(
                f"{self._target}: image {image_id!r}: expected regions (n, {expected or 'D'}) and boxes (n, "
                f"4) with n from {least} to {self.slots},"
                f" found {regions.shape} and {boxes.shape}"
            )
        if dimension != (expected or dimension):
            raise InputError(
                f"{self._target}: image {image_id!r}: its regions have dimension {dimension}, "
                f"the data set's have {expected};"
                " regions of different extractors do not mix"
            )
        block = np.zeros((self.slots, dimension), self._dtype)
        with np.errstate(over="ignore"):
            block[:count] = regions
        if not np.isfinite(block[:count]).all():
            raise InputError(
                f"{self._target}: image {image_id!r}: a feature is NaN, infinite or too large for {self._dtype};"
                " is it of the right extractor?"
            )
        return block

    def _line(self, fields: tuple) -> bytes:
        try:
            return format_row(fields).encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                f"{self._target}: {error.object.strip()[:200]!r} is not Unicode text; "
                "rename the file or correct the text"
            ) from error

    def _finish(self) -> None:
        images = len(self._ids)
        if self._dimension is None:
            raise InputError(f"{self._target}: no images were added; nothing was written")
        self._images.finish()
        for array in self._arrays:
            array.finish(images)
        meta = dict(
            self._meta,
            images=images,
            captions=self._captions,
            regions_shape=[images, self.slots, self._dimension],
            regions_dtype=self._dtype,
            regions_crc32=self._regions[0].checksum,
            **({"mirrored_crc32": self._regions[1].checksum} if self._mirrored else {}),
            **self._extra,
        )
        (self.directory / "meta.json").write_bytes(self._json(meta))
        self._captions_file.flush()
        # Their checksums were made as they were written.
        LISTED.write(self.directory, without=("regions.npy", f"{MIRRORED}regions.npy"))

    def _json(self, meta: dict) -> bytes:
        try:
            return (json.dumps(meta, indent=2, ensure_ascii=False) + "\n").encode()
        except UnicodeEncodeError:
            raise InputError(f"{str(self._target)!r}: its name or that of a source is not UTF-8; rename it") from None


def _image_ids(lines: list[bytes]) -> list[str]:
    """Return the ids of the lines up to the first that is none of an image."""
    ids: dict[str, None] = {}
    for line in lines:
        try:
            image_id, width, height, _ = line.decode("utf-8").split("\t")
        except ValueError:  # it is no UTF-8, or has another number of fields
            break
        if image_id in ids or not (width.isdecimal() and height.isdecimal()):
            break
        ids[image_id] = None
    return list(ids)
