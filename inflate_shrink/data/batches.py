"""Training batches: shuffled captions with the regions of their images."""

from __future__ import annotations

import queue
import threading
from typing import Iterable, Iterator, NamedTuple

import numpy as np

from .store import Store
from .tokenized import TokenizedSplit


class Batch(NamedTuple):
    """B pairs. ids (B, n) int64; captions (B,) and images (B,): their indices in the split; mirrored (B,) bool: whose
    regions are those of the mirrored photo.

    Of the pairs ``own``, all unless several processes share the batch: regions (b, m, D) float32 and counts (b,) of
    valid ones.
    """

    ids: np.ndarray
    regions: np.ndarray
    counts: np.ndarray
    captions: np.ndarray
    images: np.ndarray
    mirrored: np.ndarray
    own: slice = slice(None)


def batches_per_epoch(data: TokenizedSplit, batch_size: int) -> int:
    """Count the whole batches of an epoch; the rest of the permutation is left out (losses sum over a batch)."""
    return len(data.ids) // batch_size


def epoch_batches(
    store: Store,
    data: TokenizedSplit,
    batch_size: int,
    seed: int,
    epoch: int,
    first: int = 0,
    mirrored: float = 0.0,
    rank: int = 0,
    size: int = 1,
    together: int = 1,
) -> Iterator[Batch]:
    """Yield the batches of an epoch from number ``first`` on. Each caption is one sample (five an image, as released).

    The order, and which samples are mirrored, depend on ``seed`` and ``epoch`` alone, so a run can be taken up
    anywhere.

    Args:
        mirrored: share of the samples that take the mirrored photo, of those whose image has it.
        rank, size: of ``size`` processes, which share each batch evenly, the number of this one.
        together: so many captions of an image follow each other, and take the same photo.
    """
    own = slice(rank * (batch_size // size), (rank + 1) * (batch_size // size))
    random, image_of = np.random.default_rng([seed, epoch]), data.split.caption_image
    order, drawn = _order(image_of, random, together), random.random(len(data.ids)) < mirrored
    if together > 1:
        drawn = drawn[image_of]  # there are no more images than captions
    for number in range(first, batches_per_epoch(data, batch_size)):
        captions = order[number * batch_size : (number + 1) * batch_size]
        images = data.split.caption_image[captions]
        rows = data.split.image_rows[images]
        turned = drawn[captions] & store.with_mirrored(rows)
        regions, counts = store.read_regions((rows + turned * len(store.regions))[own])
        yield Batch(data.ids[captions], regions, counts, captions, images, turned, own)


def _order(caption_image: np.ndarray, random: np.random.Generator, together: int) -> np.ndarray:
    """Draw an order of all captions in which each image's come in groups of so many; its last may be smaller."""
    order = random.permutation(len(caption_image))
    if together == 1:
        return order
    order = order[np.argsort(caption_image[order], kind="stable")]  # an image's captions, in the order drawn
    _, first, count = np.unique(caption_image[order], return_index=True, return_counts=True)
    number = np.arange(len(order)) - np.repeat(first, count)  # of each caption in its image
    groups = np.split(order, np.flatnonzero(number % together == 0)[1:])
    return np.concatenate([groups[group] for group in random.permutation(len(groups))])


def prefetch(items: Iterable, depth: int = 2) -> Iterator:
    """Yield the same items, made ahead by one thread (a thread, so that memory-mapped features are not copied)."""
    ready: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()

    def put(entry) -> bool:
        while not stopped.is_set():
            try:
                ready.put(entry, timeout=0.1)
                return True
            except queue.Full:
                pass
        return False

    def produce():
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((None, StopIteration()))
        except BaseException as error:  # raised again where the items are used
            put((None, error))

    threading.Thread(target=produce, daemon=True).start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stopped.set()
