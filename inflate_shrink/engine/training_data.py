"""What a training step reads: the data set, its training and validation captions as ids."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..atomic import atomic_path
from ..config import DataConfig
from ..data.store import Split, Store, open_store
from ..data.text import CaptionTokenizer
from ..errors import InputError
from .checkpoint import Checkpoint, open_checkpoint


class TokenizedSplit(NamedTuple):
    split: Split
    ids: np.ndarray  # (captions, n) int64

    def first_images(self, images: int) -> "TokenizedSplit":
        """The first so many images with their captions; 0: all."""
        split = self.split
        if not 0 < images < len(split.image_rows):
            return self
        kept = split.caption_image < images
        captions = [caption for caption, keep in zip(split.captions, kept) if keep]
        part = Split(split.name, captions, split.caption_image[kept], split.image_rows[:images], split.image_ids[:images])
        return TokenizedSplit(part, self.ids[kept])


class TrainingData(NamedTuple):
    store: Store
    tokenizer: CaptionTokenizer
    train: TokenizedSplit
    val: TokenizedSplit

    @property
    def region_dim(self) -> int:
        return self.store.regions.shape[-1]


def open_training_data(config: DataConfig, batch_size: int) -> TrainingData:
    """Open ``config.dir`` and tokenise its training and validation captions.

    Raises InputError if a split is empty or smaller than a batch, or a file is wrong.
    """
    store = open_store(config.dir)
    tokenizer = CaptionTokenizer(config.vocab or store.directory / "vocab.txt", config.text_length, config.first_token, config.last_token)
    data = TrainingData(store, tokenizer, tokenize_split(store, config.train_split, tokenizer), tokenize_split(store, config.val_split, tokenizer))
    captions = len(data.train.split.captions)
    if captions < batch_size:
        raise InputError(f"{config.dir}: split '{config.train_split}' has {captions} captions, fewer than optim.batch_size ({batch_size}); lower it")
    return data


def matching_checkpoint(path: str, data: TrainingData, key: str) -> Checkpoint:
    """The checkpoint that the config's ``key`` names, if its inputs are those of the data; else InputError."""
    checkpoint = open_checkpoint(path)
    tokenizer = checkpoint.tokenizer()
    for what, found, expected in (
        ("vocabulary", tokenizer.fingerprint, data.tokenizer.fingerprint),
        ("data.text_length", tokenizer.length, data.tokenizer.length),
        ("data.first_token", repr(tokenizer.first_token), repr(data.tokenizer.first_token)),
        ("data.last_token", repr(tokenizer.last_token), repr(data.tokenizer.last_token)),
        ("region dimension", checkpoint.state["region_dim"], data.region_dim),
    ):
        if found != expected:
            raise InputError(f"{key}: the {what} of {checkpoint.directory} is {found}, the data's is {expected}; use a model of this data")
    return checkpoint


def tokenize_split(store: Store, name: str, tokenizer: CaptionTokenizer) -> TokenizedSplit:
    """A split with its captions as ids, kept in the data set's directory where it can be written."""
    split = store.split(name)
    cache = store.directory / ".ids" / f"{name}-{store.fingerprint()}-{tokenizer.key}.npy"
    if cache.exists():
        return TokenizedSplit(split, np.load(cache))
    ids = tokenizer(split.captions)
    try:
        with atomic_path(cache) as temporary, open(temporary, "wb") as file:
            np.save(file, ids)
    except InputError:
        pass  # a read-only data set: tokenise every time
    return TokenizedSplit(split, ids)
