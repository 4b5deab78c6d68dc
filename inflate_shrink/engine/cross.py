"""Scores of a cross-BERT: one pass of the Transformer for every pair of a text and an image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import paddle
from tqdm import tqdm

from ..data.batches import Batch
from ..data.store import Store
from ..model.encoder import DualEncoder
from ..model.inputs import PAD_ID, Embedded
from .encode import concat_batches, image_batches, text_batches

PAIRS = 512  # in one pass


class EmbeddedSide(NamedTuple):
    """All texts or images of a collection as the Transformer's input, made once. lengths: (n,) positions that are filled."""

    inputs: Embedded
    lengths: np.ndarray


def embed_texts(model: DualEncoder, ids: np.ndarray) -> EmbeddedSide:
    """ids: (n, length) int64."""
    return _side(concat_batches(text_batches(model.text_embedding, ids)))


def embed_images(model: DualEncoder, store: Store, rows: np.ndarray) -> EmbeddedSide:
    """rows: (n,) rows of the store."""
    return _side(concat_batches(image_batches(model.region_embedding, store, rows)))


def embed_batch(model: DualEncoder, batch: Batch) -> tuple[EmbeddedSide, EmbeddedSide]:
    """Texts, cut to the longest, and images of a training batch, with gradient."""
    words = batch.ids[:, : (batch.ids != PAD_ID).sum(1).max()]
    image = model.region_embedding(paddle.to_tensor(batch.regions), paddle.to_tensor(batch.counts))
    return _side(model.text_embedding(paddle.to_tensor(words))), _side(image)


def match_pairs(model: DualEncoder, text: EmbeddedSide, image: EmbeddedSide, texts: np.ndarray, images: np.ndarray, label: str = "") -> np.ndarray:
    """Scores (P,) float32 of the pairs (texts[p], images[p]), without gradient.

    Args:
        label: of a progress bar; empty: none.
    """
    scores = np.empty(len(texts), np.float32)
    order = np.argsort(text.lengths[texts], kind="stable")  # texts of a length together: no pass is padded for one of them
    with tqdm(total=len(texts), desc=label, unit="pair", disable=None if label else True, leave=False) as bar:
        for start in range(0, len(order), PAIRS):
            pairs = order[start : start + PAIRS]
            with paddle.no_grad():
                scores[pairs] = _match(model, text, image, texts[pairs], images[pairs]).numpy()
            bar.update(len(pairs))
    return scores


def match_all(model: DualEncoder, text: EmbeddedSide, image: EmbeddedSide, label: str = "") -> np.ndarray:
    """Scores (I, T) float32 of every text with every image, rows images."""
    texts, images = np.divmod(np.arange(len(text.lengths) * len(image.lengths)), len(image.lengths))
    return match_pairs(model, text, image, texts, images, label).reshape(len(text.lengths), len(image.lengths)).T


def _match(model: DualEncoder, text: EmbeddedSide, image: EmbeddedSide, texts: np.ndarray, images: np.ndarray) -> paddle.Tensor:
    longest = int(text.lengths[texts].max())
    words = Embedded(text.inputs.vectors[:, :longest], text.inputs.mask[:, :longest])
    return model.match(words.rows(paddle.to_tensor(texts)), image.inputs.rows(paddle.to_tensor(images)))


def _side(inputs: Embedded) -> EmbeddedSide:
    return EmbeddedSide(inputs, inputs.mask.sum(1).numpy().astype(np.int64))
