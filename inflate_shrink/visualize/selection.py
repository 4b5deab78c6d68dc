"""Which caption and which image are drawn: by id, by number in a split, or typed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.store import Store
from ..data.text import CaptionTokenizer
from ..engine.checkpoint import Checkpoint
from ..errors import InputError


class Wanted(NamedTuple):
    """What the user asked for: a typed caption, an image by id, or the N-th caption of a split, from 1, and its image.

    data: a data set's directory; split: of it. None: those that the checkpoint's config names for the test.
    any_extractor: see :func:`inflate_shrink.engine.checkpoint.open_checkpoint`.
    """

    caption: str | None = None
    image: str | None = None
    number: int | None = None
    data: str | Path | None = None
    split: str | None = None
    any_extractor: bool = False


class Source(NamedTuple):
    """A data set that a checkpoint can read, and one of its splits by name."""

    store: Store
    split: str

    def row(self, image_id: str) -> int:
        """Return the row of an image; raises InputError if there is none of this id."""
        try:
            return self.store.image_ids.index(image_id)
        except ValueError:
            ids = ", ".join(self.store.image_ids[:3])
            raise InputError(
                f"{self.store.directory / 'images.tsv'}: no image {image_id!r}; "
                f"its first column holds the ids: {ids}, ..."
            ) from None

    def pair(self, number: int) -> tuple[str, int]:
        """Return caption ``number`` of the split, from 1, and the row of its image; raises InputError if the split
        has fewer."""
        split = self.store.split(self.split)
        if not 1 <= number <= len(split.captions):
            raise InputError(
                f"{self.store.directory}: split {self.split!r} has captions 1 to {len(split.captions)}, "
                f"found --number {number}"
            )
        return split.captions[number - 1], int(split.image_rows[split.caption_image[number - 1]])


def open_source(checkpoint: Checkpoint, wanted: Wanted) -> Source:
    """Open the data set and split of ``wanted``; raises InputError if it is wrong, or its regions are not the
    checkpoint's."""
    store = checkpoint._replace(any_extractor=wanted.any_extractor).open_data(wanted.data or checkpoint.config.data.dir)
    return Source(store, wanted.split or checkpoint.config.data.test_split)


def caption_ids(tokenizer: CaptionTokenizer, caption: str) -> np.ndarray:
    """Return the ids (1, n) of a caption; raises InputError if it is empty."""
    if not caption.strip():
        raise InputError("--caption is empty; give a sentence")
    try:
        caption.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"--caption {ascii(caption)} is not UTF-8; type it in a UTF-8 terminal") from None
    return tokenizer([caption])
