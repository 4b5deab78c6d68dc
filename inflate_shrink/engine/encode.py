"""Encode texts and images in batches, each once, without gradients."""

from __future__ import annotations

from typing import Iterator

import numpy as np
import paddle

from ..data.batches import prefetch
from ..data.store import Store
from ..model.encoder import DualEncoder
from ..scoring import Fragments

BATCH = 256


def encode_texts(model: DualEncoder, ids: np.ndarray) -> Fragments:
    """ids: (n, length) int64. Returns the fragments of all texts, (n, l, D)."""
    return _concat(text_batches(model, ids))


def encode_images(model: DualEncoder, store: Store, rows: np.ndarray) -> Fragments:
    """rows: (n,) rows of the store. Returns the fragments of these images, (n, l, D)."""
    return _concat(image_batches(model, store, rows))


def text_batches(model: DualEncoder, ids: np.ndarray) -> Iterator[Fragments]:
    for part in _parts(ids):
        with paddle.no_grad():
            yield model.encode_text(paddle.to_tensor(part))


def image_batches(model: DualEncoder, store: Store, rows: np.ndarray) -> Iterator[Fragments]:
    for regions, counts in prefetch(store.read_regions(part) for part in _parts(rows)):
        with paddle.no_grad():
            yield model.encode_image(paddle.to_tensor(regions), paddle.to_tensor(counts))


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    return (array[start : start + BATCH] for start in range(0, len(array), BATCH))


def _concat(batches: Iterator[Fragments]) -> Fragments:
    vectors, masks = zip(*batches)
    return Fragments(paddle.concat(vectors), None if masks[0] is None else paddle.concat(masks))
