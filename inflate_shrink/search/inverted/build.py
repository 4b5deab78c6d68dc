"""Build an inverted index of a data set with a checkpoint of scoring visual_sparta."""

from __future__ import annotations

import os
from typing import Iterator

import numpy as np
import paddle
from tqdm import tqdm

from ...atomic import require_new
from ...data.store import Store
from ...engine.checkpoint import Checkpoint
from ...engine.encode import image_batches
from ...errors import InputError
from ...model.encoder import DualEncoder
from ...scoring import Fragments, visual_sparta
from .writer import write_inverted_index


def build_inverted_index(
    checkpoint: Checkpoint,
    data_dir: str | os.PathLike,
    split: str,
    directory: str | os.PathLike,
    top: int = 0,
    dtype: str = "float32",
) -> None:
    """Write the index of a split's images, batch by batch.

    Args:
        split: of the data set; "": all its images.
        directory, top, dtype: as of :func:`.writer.write_inverted_index`.

    Raises:
        InputError: the directory exists, the checkpoint has another scoring or no vocabulary, the data have
            another region dimension or no such split, the scores are not finite, or the disk is full.
    """
    require_new(directory)
    if top < 0:
        raise InputError(f"--top must be 0 or more, found {top}")
    scoring = checkpoint.config.model.scoring
    if scoring != "visual_sparta":
        raise InputError(
            f"{checkpoint.directory}: its model.scoring is {scoring}; an inverted index takes visual_sparta only"
        )
    store = checkpoint.open_data(data_dir)
    rows = store.split(split).image_rows if split else np.arange(len(store.image_ids))
    tokenizer, model = checkpoint.tokenizer(), checkpoint.load_model()
    if tokenizer.vocab_size > model.vocab_size:
        raise InputError(
            f"{checkpoint.vocab_file}: {tokenizer.vocab_size} pieces, the model has {model.vocab_size}; "
            "it is of another model"
        )
    images = [(store.image_ids[row], store.image_files[row]) for row in rows]
    write_inverted_index(
        directory,
        _piece_scores(model, store, rows),
        images,
        tokenizer.vocabulary,
        _origin(checkpoint, store, split),
        top,
        dtype,
    )


def _piece_scores(model: DualEncoder, store: Store, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the scores (b, V) of every vocabulary piece with each image, batch by batch."""
    pieces = Fragments(model.word_vectors().detach().unsqueeze(1))  # each a text of one word
    with tqdm(total=len(rows), desc="index", unit="image", disable=None, leave=False) as bar:
        for images in image_batches(model.encode_image, store, rows):
            with paddle.no_grad():
                yield visual_sparta(pieces, images).numpy()
            bar.update(len(images.vectors))


def _origin(checkpoint: Checkpoint, store: Store, split: str) -> dict:
    """Return what the index is made of, and what it takes to cut a query into pieces as the model does."""
    text = checkpoint.config.data
    root = str(store.image_root)
    return {
        "tokenizer": {"text_length": text.text_length, "first_token": text.first_token, "last_token": text.last_token},
        "model": checkpoint.origin(),
        "data": {
            "directory": str(store.directory),
            "split": split,
            "fingerprint": store.fingerprint(),
            "image_root": root,
        },
        "paddle": paddle.__version__,
    }
