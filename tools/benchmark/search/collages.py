"""Distractors for an index of real photos: collages, whose regions come from two photos each, encoded like photos."""

from __future__ import annotations

from typing import Iterator

import numpy as np

from inflate_shrink.data.store import Store

BATCH = 256


def collages(store: Store, count: int, seed: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield regions (b, R, D) float32 and counts (b,) of ``count`` collages, in batches.

    A collage has half of the regions, drawn at random, of each of two different photos.
    """
    random = np.random.default_rng(seed)
    for begin in range(0, count, BATCH):
        size = min(BATCH, count - begin)
        first = random.integers(len(store.image_ids), size=size)
        second = (first + random.integers(1, len(store.image_ids), size=size)) % len(store.image_ids)
        (one, ones), (other, others) = store.read_regions(first), store.read_regions(second)
        regions, counts = np.zeros_like(one), np.zeros_like(ones)
        for i in range(size):
            halves = [_half(one[i, : ones[i]], random), _half(other[i, : others[i]], random)]
            chosen = np.concatenate(halves)[: regions.shape[1]]
            regions[i, : len(chosen)], counts[i] = chosen, len(chosen)
        yield regions, counts


def _half(regions: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return regions[random.permutation(len(regions))[: max(1, len(regions) // 2)]]
