"""Fitting an index's first stage when it is built: which queries and images it is learned of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Collection

import numpy as np

from ..data.store import Store
from ..engine.checkpoint import Checkpoint
from ..engine.encode import image_batches, text_batches
from ..scoring import Fragments
from .stages import StageFit, fit_stage_to
from .stages.fitting import HELD

if TYPE_CHECKING:
    from .build import BuildSettings

CAPTIONS, IMAGES = 6_000, 2_500  # that it is learned of
RANK = 128  # numbers of an image's vector


def fit_stage(checkpoint: Checkpoint, store: Store, chosen: np.ndarray, settings: BuildSettings) -> StageFit:
    """Fit a first stage to some images of the index and to :func:`sample_queries`.

    Args:
        chosen: rows of the store that the index is of.
    """
    images = np.sort(np.random.default_rng(settings.seed).permutation(chosen)[:IMAGES])
    rows, lengths = rows_of(image_batches(checkpoint.load_model().encode_image, store, images))
    return fit_stage_to(sample_queries(checkpoint, store, chosen, settings.seed), rows, lengths, RANK, settings.seed)


def sample_queries(checkpoint: Checkpoint, store: Store, chosen: np.ndarray, seed: int = 0) -> list[np.ndarray]:
    """Return the fragments (l, d) of captions of the training split, or of any captions where there is none; where
    there are no captions at all, some images stand for queries, of rows that are ``chosen``.
    """
    model, captions = checkpoint.load_model(), sample_captions(store, seed)
    if captions:
        fragments, counts = rows_of(text_batches(model.encode_text, checkpoint.tokenizer()(captions)))
    else:
        images = np.random.default_rng(seed).permutation(chosen)[:IMAGES]
        fragments, counts = rows_of(image_batches(model.encode_image, store, images))
    return np.split(fragments, np.cumsum(counts)[:-1])


def sample_captions(store: Store, seed: int = 0, without: Collection[str] = ()) -> list[str]:
    """Return captions in a random order: HELD to measure budgets with, then CAPTIONS to learn of.

    The latter are of the training split, or of any where there is none. The former are of no split that a model was
    trained or is tested on, where there is another one: a first stage comes nearer for texts that the model knows.

    Args:
        without: captions to leave out.
    """
    splits, random = np.array(store.caption_splits), np.random.default_rng(seed)
    wanted = np.array([caption not in without for caption in store.captions], bool)
    learned = random.permutation(np.flatnonzero(wanted & (splits == "train")))
    if not len(learned):
        learned = random.permutation(np.flatnonzero(wanted))
    held = random.permutation(np.flatnonzero(wanted & (splits != "train") & (splits != "test")))[:HELD]
    if len(held) < HELD or not (splits == "train").any():
        held, learned = learned[:HELD], learned[HELD:]
    return [store.captions[caption] for caption in (*held, *learned[:CAPTIONS])]


def rows_of(batches) -> tuple[np.ndarray, np.ndarray]:
    """Return the fragments (R, d) of the items of all batches that are not masked, and how many each item has, (n,)."""
    parts = list(map(rows_that_count, batches))
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([counts for _, counts in parts])


def rows_that_count(encoded: Fragments) -> tuple[np.ndarray, np.ndarray]:
    """Return the fragments (R, d) of some items that are not masked, and how many each item has, (n,)."""
    counts = encoded.float_mask().numpy() > 0
    return encoded.vectors.numpy()[counts], counts.sum(1)
