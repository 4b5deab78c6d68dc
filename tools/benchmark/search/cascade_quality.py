"""How near first stages come to the exact scores: correlations, of their errors too, and the candidates that they need."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np

from inflate_shrink.fitted import FitSettings, ceiling, correlation, fit, refit
from inflate_shrink.kernel import StoredFragments, as_items, scores
from inflate_shrink.kernel.lanes import LaneVectors, decode_lanes, encode_lanes, interleave
from inflate_shrink.search.centroids import read_centroids
from inflate_shrink.search.fit_stage import IMAGES, RANK
from inflate_shrink.search.index import open_index
from inflate_shrink.search.searcher import CENTROIDS, NEAREST, VECTOR
from inflate_shrink.search.stages import FITTED, FRAGMENTS, read_fit
from inflate_shrink.search.stages.fitting import HELD, RANDOM, SCORED
from inflate_shrink.search.sweep import Sweep

from .cascade_build import BITS
from .cascade_stages import pooled_rows
from .embedded import Embedded

SHARE, K = 0.99, 10  # of the exact K best, that candidates are to hold
_QUERIES = 200  # of small collections: their scores with all images are held at once
_HELD_SCORES = 1 << 26
_POOLED, _CEILINGS = "pooled", (64, 128, 192)


def measure_quality(stages: dict[str, Path], embedded: Embedded, tried: bool, say: Callable[[str], None]) -> dict:
    """Compare stages with the exact scores of the first queries.

    Args:
        stages: the indexes by stage. tried: also what no index has.

    Returns:
        ``queries``; ``stages``, for each ``rho``, the mean correlation over images, and ``candidates``, how many of its best hold SHARE
        of the exact K best; ``errors``, for pairs of stages the correlation of what they are off by; ``tried``, a list
        with ``what`` and the same two values.
    """
    say("correlations")
    count = max(16, min(_QUERIES, len(embedded.queries.fragments), _HELD_SCORES // embedded.images))
    queries = embedded.projected(embedded.queries.fragments[:count])
    index = open_index(next(path for stage, path in stages.items() if stage in BITS))
    (segment,) = index.segments
    rows = segment.stored(FRAGMENTS)
    exact = scores(queries, rows)
    top = np.argpartition(-exact, K - 1, axis=1)[:, :K]
    found = {}
    for stage, path in stages.items():
        found[stage] = _of_stage(stage, path, queries, embedded)
    small = embedded.images == len(embedded.ids)
    if small:
        found[_POOLED] = scores(queries, pooled_rows(rows))
    errors = {name: _errors(side, exact) for name, side in found.items()}
    names = list(found)
    return {
        "queries": count,
        "stages": {name: _quality(side, exact, top) for name, side in found.items()},
        "errors": [
            {"of": [one, other], "correlation": correlation(errors[one], errors[other])}
            for i, one in enumerate(names)
            for other in names[i + 1 :]
        ],
        "tried": _tried(embedded, rows, queries, exact, top, say) if tried and small else [],
    }


def _of_stage(stage: str, path: Path, queries: list[np.ndarray], embedded: Embedded) -> np.ndarray:
    index = open_index(path)
    if stage in BITS:
        vectors = read_fit(index).fit.features(queries)
        (segment,) = index.segments
        stored = segment.stored(FITTED)
        return np.concatenate(
            [vectors @ decode_lanes(stored, part).T for part in np.array_split(np.arange(len(stored)), 1 + len(stored) // 65536)], 1
        )  # fmt: skip
    sweep = Sweep(index)
    if stage == "vector":
        return np.stack([sweep.scores(VECTOR, vector[None]) for vector in embedded.queries.first[: len(queries)]])
    centroids = as_items(read_centroids(path / CENTROIDS, queries[0].shape[1]))
    return np.stack([sweep.centroid_scores(NEAREST, query, centroids) for query in queries])


def _quality(found: np.ndarray, exact: np.ndarray, top: np.ndarray) -> dict:
    ranks = [(own > own[of_query][:, None]).sum(1) for own, of_query in zip(found, top)]
    ranks = np.sort(np.concatenate(ranks))
    return {"rho": correlation(found, exact), "candidates": int(ranks[int(np.ceil(SHARE * len(ranks))) - 1]) + 1}


def _errors(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return what is left of a stage's scores (queries, images) when the exact ones have explained what they can."""
    found, exact = (side - side.mean(1, keepdims=True) for side in (found, exact))
    return found - ((found * exact).sum(1) / (exact * exact).sum(1))[:, None] * exact


def _tried(
    embedded: Embedded, rows: StoredFragments, queries: list[np.ndarray], exact: np.ndarray, top: np.ndarray, say
) -> list[dict]:
    """Fit stages of other ranks and features, all to the same captions and images."""
    held = min(HELD, len(embedded.sample.fragments) // 5)
    sample = embedded.projected(embedded.sample.fragments[held:])
    images = np.sort(np.random.default_rng(embedded.seed).permutation(len(embedded.ids))[:IMAGES])
    of_fit, of_all = scores(sample, rows, images), scores(sample[:SCORED], rows)
    found = []

    def try_(
        what: str, rank: int = RANK, random: int = RANDOM, first: bool = False, scored: int = SCORED, bits: int = 8
    ) -> None:
        say(f"tried: {what}")
        beside = embedded.sample.first[held:] if first else None
        learned = fit(sample, of_fit, FitSettings(rank=rank, random=random, seed=embedded.seed), beside)
        learned = refit(learned, sample[:scored], of_fit[:scored], None if beside is None else beside[:scored])
        vectors = learned.features(queries, embedded.queries.first[: len(queries)] if first else None)
        quality = _quality(vectors @ _rounded(learned.vectors(of_all[:scored]), bits).T, exact, top)
        found.append({"what": what, **quality})

    try_(f"as it is: rank {RANK}, {RANDOM} random features, {SCORED:,} queries an image, 8 bits")
    for random in (0, 1024):
        try_(f"{random or 'no'} random features", random=random)
    for rank in (64, 96, 192):
        try_(f"rank {rank}", rank=rank)
    try_("rank 256, 4 bits: as many bytes", rank=256, bits=4)
    try_(f"{SCORED // 3} queries an image", scored=SCORED // 3)
    if embedded.first is not None:
        try_("F's vector among the features", first=True)
    of_some = scores(sample[:SCORED], rows, images)
    for rank, best in zip(_CEILINGS, ceiling(of_some - of_some.mean(1, keepdims=True), _CEILINGS)):
        what = f"ceiling of rank {rank}: the truncated SVD of the scores of {SCORED:,} captions with {len(images):,} images"
        found.append({"what": what, "rho": correlation(best, of_some), "candidates": None})
    return found


def _rounded(vectors: np.ndarray, bits: int) -> np.ndarray:
    """Return vectors with the error of their rounding."""
    numbers, scales = encode_lanes(vectors, bits)
    scales = np.pad(scales, (0, -len(vectors) % 16)).reshape(-1, 16)
    return decode_lanes(LaneVectors(interleave(numbers), scales, *vectors.shape, bits), np.arange(len(vectors)))
