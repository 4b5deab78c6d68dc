"""Splits whose captions are ids already, and what a training reads: a data set with two of them."""

from __future__ import annotations

import shutil
from typing import NamedTuple

import numpy as np

from ..atomic import atomic_path, remove_leftovers
from ..checked_files import FileList
from ..config import DataConfig
from ..errors import InputError
from .npy import open_npy
from .store import Split, Store, open_store
from .text import CaptionTokenizer

_LISTED = FileList("files.json", "cache")


class TokenizedSplit(NamedTuple):
    """A split with the ids of its captions, in their order."""

    split: Split
    ids: np.ndarray  # (captions, n) int64

    def first_images(self, images: int) -> TokenizedSplit:
        """Return the part of the first so many images with their captions; 0: all."""
        split = self.split
        if not 0 < images < len(split.image_rows):
            return self
        kept = split.caption_image < images
        captions = [caption for caption, keep in zip(split.captions, kept) if keep]
        part = Split(
            split.name, captions, split.caption_image[kept], split.image_rows[:images], split.image_ids[:images]
        )
        return TokenizedSplit(part, self.ids[kept])


class TrainingData(NamedTuple):
    """A data set, with its training and validation splits; ``mirrored``: share of the samples that take the mirrored
    photo, where there is one.
    """

    store: Store
    tokenizer: CaptionTokenizer
    train: TokenizedSplit
    val: TokenizedSplit
    mirrored: float = 0.0

    @property
    def region_dim(self) -> int:
        """Return the dimension of a region's features."""
        return self.store.regions.shape[-1]

    @property
    def mirrored_images(self) -> np.ndarray:
        """Return the training images whose mirrored photos may be in a batch, (n,) indices in the split."""
        return np.flatnonzero(self.store.with_mirrored(self.train.split.image_rows) & (self.mirrored > 0))


def open_training_data(config: DataConfig, batch_size: int) -> TrainingData:
    """Open ``config.dir`` and tokenise its training and validation captions.

    Raises InputError if a split is empty or smaller than a batch, or a file is wrong.
    """
    store = open_store(config.dir)
    tokenizer = CaptionTokenizer(
        config.vocab or store.vocabulary, config.text_length, config.first_token, config.last_token
    )
    splits = (tokenize_split(store, name, tokenizer) for name in (config.train_split, config.val_split))
    data = TrainingData(store, tokenizer, *splits, config.mirrored)
    captions = len(data.train.split.captions)
    if captions < batch_size:
        raise InputError(
            f"{config.dir}: split '{config.train_split}' has {captions} captions, "
            f"fewer than optim.batch_size ({batch_size}); lower it"
        )
    return data


def tokenize_split(store: Store, name: str, tokenizer: CaptionTokenizer) -> TokenizedSplit:
    """Return a split with its captions as ids, which are kept in the data set's directory where it can be written."""
    split = store.split(name)
    cache = store.directory / ".ids" / f"{name}-{store.fingerprint()}-{tokenizer.key}"
    remove_leftovers(cache)
    try:
        _LISTED.check_all(cache)
        return TokenizedSplit(
            split, np.array(open_npy(cache / "ids.npy", (len(split.captions), tokenizer.length), "int64"))
        )
    except InputError:
        shutil.rmtree(cache, ignore_errors=True)  # it is not there, or damaged
    ids = tokenizer(split.captions)
    try:
        with atomic_path(cache) as temporary:
            temporary.mkdir()
            np.save(temporary / "ids.npy", ids)
            _LISTED.write(temporary)
    except InputError:
        pass  # a read-only data set: tokenise every time
    return TokenizedSplit(split, ids)
