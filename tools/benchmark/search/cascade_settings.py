"""What :mod:`.cascade` measures; apart from it because that takes Paddle."""

from __future__ import annotations

from dataclasses import dataclass

from inflate_shrink.errors import InputError

STAGES = ("centroids", "vector", "fitted", "fitted-4-bits")  # first stages


@dataclass(frozen=True)
class CascadeBenchmark:
    """What a benchmark of a cascade asks.

    images: in the index, photos and then collages, 0: all photos and no collage; encoded: of them, at most, the rest
    are jittered copies; dim: of the fragments, which are projected to so many dimensions, 0: as the model has them;
    queries: captions of the split; candidates: the sizes of the second stage; stages: of STAGES, those that are
    measured; tried: also what was tried and dropped; callers: threads that search at once.
    """

    split: str = "val"
    images: int = 30_000
    encoded: int = 30_000
    dim: int = 0
    queries: int = 500
    candidates: tuple[int, ...] = (50, 100, 200, 500, 1000, 2000, 5000)
    stages: tuple[str, ...] = STAGES
    centroids: int = -1
    tried: bool = False
    callers: int = 8
    seed: int = 0
    threads: int = 0

    def __post_init__(self):
        """Raise InputError if a number is out of its range."""
        if min(self.queries, self.encoded, self.callers, *self.candidates) < 1 or min(self.images, self.dim) < 0:
            raise InputError(
                "queries, candidates, encoded images and callers must be 1 or more, images and dimensions 0 or more"
            )
