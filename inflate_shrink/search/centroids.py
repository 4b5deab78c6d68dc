"""Centroids of fragments: spherical k-means, with our kernel for the products."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data.npy import read_header
from ..errors import InputError
from ..kernel import nearest_centroids
from ..kernel.nearest import MOST_CENTROIDS

ROUNDS = 8
SAMPLE = 32  # fragments for each centroid


def centroid_count(fragments: int) -> int:
    """Return how many centroids suit a collection of so many fragments: about eight times the square root, a power of
    two, 256 to 8,192.
    """
    return int(2 ** np.clip(round(np.log2(8 * max(1, fragments) ** 0.5)), 8, 13))


def spherical_kmeans(vectors: np.ndarray, count: int, seed: int = 0, threads: int = 0) -> np.ndarray:
    """Return centroids (count, d) float32 of length 1 of vectors (n, d) of length 1; at most n and 65,536.

    Lloyd's rounds from vectors drawn without repetition; a centroid that loses all its vectors starts anew at a random
    one.
    """
    random = np.random.default_rng(seed)
    count = min(count, len(vectors), MOST_CENTROIDS)
    centroids = vectors[random.choice(len(vectors), count, replace=False)]
    for _ in range(ROUNDS):
        nearest = nearest_centroids(vectors, centroids, threads)
        order = np.argsort(nearest, kind="stable")
        filled, starts = np.unique(nearest[order], return_index=True)
        centroids = vectors[random.integers(len(vectors), size=count)]
        sums = np.add.reduceat(vectors[order], starts)
        centroids[filled] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return centroids


def read_centroids(path: Path, dim: int) -> np.ndarray:
    """Read the centroids (C, dim) float32 of an index; raises InputError if the file holds anything else."""
    try:
        shape, dtype, size = read_header(path)
        found = f"{dtype} {shape}"
        if (
            len(shape) == 2
            and 1 <= shape[0] <= MOST_CENTROIDS
            and shape[1] == dim
            and dtype == np.float32
            and size == path.stat().st_size
        ):
            centroids = np.load(path)
            if np.isfinite(centroids).all():
                return centroids
            found = "a number that is NaN or infinite"
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); copy or build the index again") from None
    raise InputError(
        f"{path}: holds {found}, not centroids of fragments of {dim} dimensions; copy or build the index again"
    )
