"""What :mod:`.cascade` measures; apart from it because that takes Paddle."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CascadeBenchmark:
    """What a benchmark of a cascade asks.

    images: in the index, photos and then collages, 0: all photos and no collage; queries: captions of the split;
    candidates: the sizes of the second stage.
    """

    split: str = "val"
    images: int = 30_000
    queries: int = 500
    candidates: tuple[int, ...] = (50, 100, 200, 500, 1000, 2000, 5000)
    centroids: int = -1
    seed: int = 0
    threads: int = 0
