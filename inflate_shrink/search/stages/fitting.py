"""Fitting the first stage to sample queries and images, and its vectors of images."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from ...fitted import FitSettings, fit, refit
from ...kernel import StoredFragments, encode_rows, scores
from ..index import FieldSettings
from .files import QuerySample, StageFit

SCORED = 1_500  # sample queries that every image is scored with; the features are learned of all
RANDOM = (
    256  # features of fragments: four times as many find no more, and take longer than all else of a query's vector
)
HELD = 256  # queries that budgets are measured with, which nothing is learned of


def fit_stage_to(
    queries: Sequence[np.ndarray],
    rows: np.ndarray,
    lengths: Sequence[int],
    rank: int,
    seed: int = 0,
    threads: int = 0,
    scored: int = SCORED,
) -> StageFit:
    """Fit a first stage.

    Args:
        queries: (l, d) fragments of queries like those to come, in any order; of few, every fifth is held back.
        rows: (R, d) fragments of some images of the index; lengths: (n,), how many each has.
        rank: numbers of an image's vector at most. scored: queries that every image is scored with, at most.
    """
    held = min(HELD, max(1, len(queries) // 5))
    held, learned = list(queries[:held]), list(queries[held:]) or list(queries)
    stored = _stored(rows, lengths, FieldSettings("int8", rows.shape[1], tuple(rows.mean(0))))
    exact = scores(learned, stored, threads=threads)
    settings = FitSettings(rank=min(rank, len(learned), len(lengths)), random=RANDOM, seed=seed)
    fitted = fit(learned, exact, settings)
    if len(learned) > scored:
        learned, exact = learned[:scored], exact[:scored]
        fitted = refit(fitted, learned, exact)
    return StageFit(fitted, QuerySample.of(learned), QuerySample.of(held))


def fitted_vectors(
    stage: StageFit, kind: FieldSettings, rows: np.ndarray, lengths: Sequence[int], threads: int = 0
) -> np.ndarray:
    """Return the vectors (n, r) float32 of images, given their fragments (R, d) and how many each has, (n,).

    Args:
        kind: of the field that the fragments are stored in.
    """
    return stage.fit.vectors(scores(stage.sample.queries(), _stored(rows, lengths, kind), threads=threads))


def _stored(rows: np.ndarray, lengths: Sequence[int], kind: FieldSettings) -> StoredFragments:
    values, scales = encode_rows(rows, kind.precision, center=kind.center_vector)
    return StoredFragments(values, scales, np.cumsum([0, *lengths]), kind.precision, kind.dim, kind.center_vector)
