"""Centroids of fragments: spherical k-means, with our kernel for the products."""

from __future__ import annotations

import numpy as np

from ..kernel import encode_codes
from ..kernel.codes import MOST_CENTROIDS

ROUNDS = 8
SAMPLE = 32  # fragments for each centroid


def centroid_count(fragments: int) -> int:
    """How many centroids suit a collection of so many fragments: about eight times the square root, a power of two, 256 to 8,192."""
    return int(2 ** np.clip(round(np.log2(8 * max(1, fragments) ** 0.5)), 8, 13))


def spherical_kmeans(vectors: np.ndarray, count: int, seed: int = 0, threads: int = 0) -> np.ndarray:
    """(count, d) float32 of length 1, of vectors (n, d) of length 1; count at most n and 65,536.

    Lloyd's rounds from vectors drawn without repetition; a centroid that loses all its vectors starts anew at a random one.
    """
    random = np.random.default_rng(seed)
    count = min(count, len(vectors), MOST_CENTROIDS)
    centroids = vectors[random.choice(len(vectors), count, replace=False)]
    for _ in range(ROUNDS):
        codes = encode_codes(vectors, centroids, threads)
        order = np.argsort(codes, kind="stable")
        filled, starts = np.unique(codes[order], return_index=True)
        centroids = vectors[random.integers(len(vectors), size=count)]
        sums = np.add.reduceat(vectors[order], starts)
        centroids[filled] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return centroids
