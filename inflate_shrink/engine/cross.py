"""Scores of a cross-BERT: one pass of the Transformer for every pair of a text and an image."""

from __future__ import annotations

from typing import Iterator, NamedTuple

import numpy as np
import paddle
from tqdm import tqdm

from ..data.batches import Batch
from ..data.store import Store
from ..model.encoder import DualEncoder
from ..model.inputs import PAD_ID, Embedded
from .encode import fill, image_batches
from .ranks import ALONE, Ranks

PAIRS = 512  # so many are scored in one pass


class EmbeddedSide(NamedTuple):
    """Texts or images of a batch or a collection as the Transformer's input; lengths: (n,) filled positions."""

    inputs: Embedded
    lengths: np.ndarray

    def rows(self, rows: np.ndarray, longest: int | None = None) -> Embedded:
        """Take some of them, repeats allowed; of each the first ``longest`` positions."""
        vectors, mask = self.inputs
        return Embedded(vectors[:, :longest], mask[:, :longest]).rows(paddle.to_tensor(rows))

    def part(self, part: slice) -> EmbeddedSide:
        """Take a part of them."""
        return EmbeddedSide(Embedded(*(tensor[part] for tensor in self.inputs)), self.lengths[part])


class Texts(NamedTuple):
    """Texts of a collection, each embedded when a pass needs it: all together they would take much memory."""

    model: DualEncoder
    ids: np.ndarray  # (n, length) int64
    lengths: np.ndarray

    def rows(self, rows: np.ndarray, longest: int | None = None) -> Embedded:
        """Embed some of them, as :meth:`EmbeddedSide.rows` takes them."""
        needed, places = np.unique(rows, return_inverse=True)
        embedded = self.model.text_embedding(paddle.to_tensor(self.ids[needed, :longest]))
        return embedded.rows(paddle.to_tensor(places.reshape(-1)))


def embed_texts(model: DualEncoder, ids: np.ndarray) -> Texts:
    """Hold texts, ids (n, length) int64, ready to be embedded."""
    return Texts(model, ids, (ids != PAD_ID).sum(1))


def embed_images(model: DualEncoder, store: Store, rows: np.ndarray) -> EmbeddedSide:
    """Embed images; rows: (n,) rows of the store."""
    return _side(fill(len(rows), image_batches(model.region_embedding, store, rows)))


def embed_batch(model: DualEncoder, batch: Batch, ranks: Ranks = ALONE) -> tuple[EmbeddedSide, EmbeddedSide]:
    """Embed the texts, cut to the longest, and images of a training batch, with gradient; of all processes."""
    words = batch.ids[batch.own, : (batch.ids != PAD_ID).sum(1).max()]
    image = model.region_embedding(paddle.to_tensor(batch.regions), paddle.to_tensor(batch.counts))
    text = model.text_embedding(paddle.to_tensor(words))
    return _side(ranks.gather_encoded(text)), _side(ranks.gather_encoded(image))


def match_pairs(
    model: DualEncoder,
    text: EmbeddedSide | Texts,
    image: EmbeddedSide,
    texts: np.ndarray,
    images: np.ndarray,
    label: str = "",
) -> np.ndarray:
    """Return the scores (P,) float32 of the pairs (texts[p], images[p]), without gradient.

    Args:
        label: of a progress bar; empty: none.
    """
    scores = np.empty(len(texts), np.float32)
    order = np.argsort(text.lengths[texts], kind="stable")  # no pass is padded for one long text
    for part in _passes(len(order), label):
        pairs = order[part]
        scores[pairs] = _match(model, text, image, texts[pairs], images[pairs])
    return scores


def match_all(model: DualEncoder, text: EmbeddedSide | Texts, image: EmbeddedSide, label: str = "") -> np.ndarray:
    """Return the scores (I, T) float32 of every text with every image, rows images."""
    n = len(image.lengths)
    scores = np.empty((n, len(text.lengths)), np.float32)
    order = np.argsort(text.lengths, kind="stable")  # texts of a length together; the pairs are never listed
    for part in _passes(scores.size, label):
        places, images = np.divmod(np.arange(part.start, part.stop), n)
        scores[images, order[places]] = _match(model, text, image, order[places], images)
    return scores


def _passes(pairs: int, label: str) -> Iterator[slice]:
    with tqdm(total=pairs, desc=label, unit="pair", disable=None if label else True, leave=False) as bar:
        for start in range(0, pairs, PAIRS):
            part = slice(start, min(start + PAIRS, pairs))
            yield part
            bar.update(part.stop - part.start)


def _match(
    model: DualEncoder, text: EmbeddedSide | Texts, image: EmbeddedSide, texts: np.ndarray, images: np.ndarray
) -> np.ndarray:
    with paddle.no_grad():
        return model.match(text.rows(texts, int(text.lengths[texts].max())), image.rows(images)).numpy()


def _side(inputs: Embedded) -> EmbeddedSide:
    return EmbeddedSide(inputs, inputs.mask.sum(1).numpy().astype(np.int64))
