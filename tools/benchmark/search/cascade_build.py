"""Indexes of the same embedded images, each with another first stage, written side by side in bounded memory."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Callable

import numpy as np

from inflate_shrink.kernel import nearest_centroids
from inflate_shrink.search.build import CENTER_SAMPLE
from inflate_shrink.search.centroids import SAMPLE, centroid_count, spherical_kmeans
from inflate_shrink.search.fit_stage import IMAGES, RANK
from inflate_shrink.search.index import LANES, UINT16, FieldSettings, IndexSettings, IndexWriter, create_index
from inflate_shrink.search.searcher import CENTROIDS, NEAREST, VECTOR
from inflate_shrink.search.stages import (
    FITTED,
    FRAGMENTS,
    StageFit,
    fit_stage_to,
    fitted_vectors,
    update_budgets,
    write_fit,
)
from inflate_shrink.search.stages.fitting import SCORED

from .cascade_settings import CascadeBenchmark
from .embedded import Embedded

BITS = {"fitted": 8, "fitted-4-bits": 4}
_MOST_SCORED = 1 << 27  # scores of sample queries with images that vectors are fitted to: a minute or so
_LEAST_QUERIES = 512  # of the sample, however many images there are


def build_indexes(
    directory: Path, embedded: Embedded, amount: CascadeBenchmark, origin: dict, say: Callable[[str], None]
) -> dict[str, float]:
    """Make an index ``directory / stage`` for each stage; return the seconds that the fitted ones took, without the
    writing: the fit, the vectors of all images and the measuring of budgets."""
    stages = [stage for stage in amount.stages if stage != "vector" or embedded.first is not None]
    random = np.random.default_rng(amount.seed)
    rows, lengths = embedded.some(np.sort(random.permutation(len(embedded.ids))[:CENTER_SAMPLE]))
    rows = rows[np.sort(random.permutation(len(rows))[: CENTER_SAMPLE * 8])]
    kind, seconds = FieldSettings("int8", rows.shape[1], tuple(rows.mean(0))), {}
    fit = centroids = None
    if BITS.keys() & set(stages):
        say("fitting a stage")
        fit, spent = _timed(lambda: _fit(embedded, amount.seed))
        seconds = dict.fromkeys(BITS.keys() & set(stages), spent)
    if "centroids" in stages:
        count = (
            amount.centroids if amount.centroids > 0 else centroid_count(embedded.images * int(embedded.lengths.mean()))
        )
        centroids = spherical_kmeans(rows[: max(CENTER_SAMPLE, count * SAMPLE)], count, amount.seed)
    for stage in stages:
        _create(directory / stage, stage, kind, embedded, origin, fit, centroids)
    with ExitStack() as stack:
        writers = {stage: stack.enter_context(IndexWriter(directory / stage)) for stage in stages}
        for block in embedded.blocks():
            say(f"{block.ids[0]} of {embedded.images} images")
            vectors = None
            if fit:
                vectors, spent = _timed(lambda block=block: fitted_vectors(fit, kind, block.rows, block.lengths))
                seconds = {stage: before + spent for stage, before in seconds.items()}
            ones = np.ones(len(block.ids), np.int64)
            further = {
                "centroids": lambda block=block: {NEAREST: (nearest_centroids(block.rows, centroids), block.lengths)},
                "vector": lambda block=block, ones=ones: {VECTOR: (block.first, ones)},
                **dict.fromkeys(BITS, lambda vectors=vectors, ones=ones: {FITTED: (vectors, ones)}),
            }
            for stage, writer in writers.items():
                writer.add(block.ids, [""] * len(ones), {FRAGMENTS: (block.rows, block.lengths), **further[stage]()})
        for writer in writers.values():
            writer.commit()
    for stage in BITS.keys() & set(stages):
        say(f"measuring budgets of {stage}")
        seconds[stage] += _timed(lambda stage=stage: update_budgets(directory / stage))[1]
    return seconds


def _create(directory: Path, stage: str, kind: FieldSettings, embedded: Embedded, origin: dict, fit, centroids) -> None:
    fields = {FRAGMENTS: kind}
    if stage in BITS:
        precision = next(name for name, bits in LANES.items() if bits == BITS[stage])
        fields[FITTED] = FieldSettings(precision, fit.fit.rank)
    elif stage == "vector":
        fields[VECTOR] = FieldSettings("int8", embedded.first.shape[1], tuple(embedded.first.mean(0)))
    else:
        fields[NEAREST] = FieldSettings(UINT16, 1)

    def prepare(temporary: Path) -> None:
        if stage in BITS:
            write_fit(temporary, fit)
        elif stage == "centroids":
            np.save(temporary / CENTROIDS, centroids)

    create_index(directory, IndexSettings("images", fields, origin), prepare)


def _fit(embedded: Embedded, seed: int) -> StageFit:
    """Fit a first stage to some of the encoded images, as a build does; of a large collection to fewer queries."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(embedded.ids))[:IMAGES])
    scored = min(SCORED, max(_LEAST_QUERIES, _MOST_SCORED // embedded.images))
    return fit_stage_to(
        embedded.projected(embedded.sample.fragments), *embedded.some(chosen), RANK, seed, scored=scored
    )


def _timed(call: Callable):
    start = time.perf_counter()
    return call(), time.perf_counter() - start
