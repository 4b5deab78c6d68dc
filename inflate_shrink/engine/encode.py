"""Encode texts and images in batches, each once, without gradients."""

from __future__ import annotations

from typing import Callable, Iterator

import numpy as np
import paddle

from ..data.batches import prefetch
from ..data.store import Store
from ..model.encoder import DualEncoder
from ..scoring import Fragments

BATCH = 256


def encode_texts(model: DualEncoder, ids: np.ndarray) -> Fragments:
    """ids: (n, length) int64. Returns the fragments of all texts, (n, l, D)."""
    return concat_batches(text_batches(model.encode_text, ids))


def encode_images(model: DualEncoder, store: Store, rows: np.ndarray) -> Fragments:
    """rows: (n,) rows of the store. Returns the fragments of these images, (n, l, D)."""
    return concat_batches(image_batches(model.encode_image, store, rows))


def text_batches(encode: Callable, ids: np.ndarray) -> Iterator:
    """``encode(ids)`` of (B, length) tensors, batch by batch."""
    for part in _parts(ids):
        with paddle.no_grad():
            yield encode(paddle.to_tensor(part))


def image_batches(encode: Callable, store: Store, rows: np.ndarray) -> Iterator:
    """``encode(regions, counts)``, batch by batch."""
    for regions, counts in prefetch(store.read_regions(part) for part in _parts(rows)):
        with paddle.no_grad():
            yield encode(paddle.to_tensor(regions), paddle.to_tensor(counts))


def concat_batches(batches: Iterator):
    """One tuple (vectors, mask) of many; a mask may be None."""
    batches = list(batches)
    vectors, masks = zip(*batches)
    return type(batches[0])(paddle.concat(vectors), None if masks[0] is None else paddle.concat(masks))


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    return (array[start : start + BATCH] for start in range(0, len(array), BATCH))
