"""Encode texts and images in batches, each once, without gradients."""

from __future__ import annotations

from typing import Callable, Iterator

import numpy as np
import paddle

from ..data.batches import prefetch
from ..data.store import Store
from ..kernel import StoredFragments, encode_rows
from ..model.encoder import DualEncoder
from ..scoring import Fragments

BATCH = 256


def encode_texts(model: DualEncoder, ids: np.ndarray) -> Fragments:
    """Return the fragments of all texts, (n, l, D), of ids (n, length) int64."""
    return fill(len(ids), text_batches(model.encode_text, ids))


def encode_images(model: DualEncoder, store: Store, rows: np.ndarray, fragments: int | str = "all") -> Fragments:
    """Return the fragments of images, (n, l, D), or the first so many of each; rows: (n,) rows of the store."""
    return fill(len(rows), (batch.first(fragments) for batch in image_batches(model.encode_image, store, rows)))


def that_count(encoded: Fragments) -> list[np.ndarray]:
    """Return the fragments (l, D) float32 of each text or image that count."""
    return [rows[kept > 0] for rows, kept in zip(encoded.vectors.numpy(), encoded.float_mask().numpy())]


def stored(items: list[np.ndarray], precision: str) -> StoredFragments:
    """Return the fragments (l, D) of some items as the kernel reads them, int8 less what they have in common."""
    rows, offsets = np.concatenate(items), np.cumsum([0, *map(len, items)])
    center = rows.mean(0) if precision == "int8" else None
    return StoredFragments(*encode_rows(rows, precision, center=center), offsets, precision, rows.shape[1], center)


def text_batches(encode: Callable, ids: np.ndarray) -> Iterator:
    """Yield ``encode(ids)`` of (B, length) tensors, batch by batch."""
    return _encoded(encode, zip(_parts(ids)))


def image_batches(encode: Callable, store: Store, rows: np.ndarray) -> Iterator:
    """Yield ``encode(regions, counts)``, batch by batch."""
    return _encoded(encode, prefetch(store.read_regions(part) for part in _parts(rows)))


def region_batches(encode: Callable, regions: np.ndarray, counts: np.ndarray) -> Iterator:
    """Yield ``encode(regions, counts)`` of images in memory, (n, m, region_dim) and (n,), batch by batch."""
    return _encoded(encode, zip(_parts(regions), _parts(counts)))


def fill(n: int, batches: Iterator):
    """Put tuples (vectors, mask or None) of batches into one of n rows, batch by batch: they are never held twice."""
    whole, start = None, 0
    for batch in batches:
        if whole is None:
            parts = (None if part is None else paddle.empty([n, *part.shape[1:]], part.dtype) for part in batch)
            whole = type(batch)(*parts)
        end = start + len(batch[0])
        for part, of_batch in zip(whole, batch):
            if part is not None:
                part[start:end] = of_batch
        start = end
    return whole


def _encoded(encode: Callable, batches: Iterator) -> Iterator:
    for arrays in batches:
        with paddle.no_grad():
            encoded = encode(*map(paddle.to_tensor, arrays))
        yield encoded  # outside of no_grad: the caller has its gradients


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    return (array[start : start + BATCH] for start in range(0, len(array), BATCH))
