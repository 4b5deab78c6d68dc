"""Retrieval evaluation: encode each caption and image once, score in blocks, count ranks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data.store import Store, open_store
from ..errors import InputError
from ..metrics import Recalls, mean_recalls, protocol_folds, recalls
from ..model.encoder import DualEncoder
from ..scoring import late_interaction
from .checkpoint import Checkpoint
from .encode import encode_images, encode_texts
from .training_data import TokenizedSplit, tokenize_split


def evaluate(model: DualEncoder, store: Store, data: TokenizedSplit, protocol: str = "full", fragments: int | str = "all") -> dict:
    """Recalls of a split under a protocol, as JSON values (recalls in percent).

    Args:
        protocol: see :func:`inflate_shrink.metrics.protocol_folds`.
        fragments: score only the first so many of the fragments that the model gives.
    """
    split = data.split
    folds = protocol_folds(protocol, len(split.image_rows))  # before the encoding: it may refuse
    training = model.training
    model.eval()
    captions = [np.flatnonzero((split.caption_image >= fold.start) & (split.caption_image < fold.stop)) for fold in folds]
    result = mean_recalls([_fold_recalls(model, store, data, *parts, fragments) for parts in zip(folds, captions)])
    if training:
        model.train()
    return as_json(result, protocol, sum(fold.stop - fold.start for fold in folds), sum(map(len, captions)))


def as_json(result: Recalls, protocol: str, images: int, captions: int) -> dict:
    """Recalls with what they were measured on."""
    sides = {"t2i": result.t2i._asdict(), "i2t": result.i2t._asdict()}
    return {"protocol": protocol, "images": images, "captions": captions, **sides, "rsum": result.rsum}


def evaluate_checkpoint(checkpoint: Checkpoint, data_dir: str | Path, split: str, protocol: str, fragments: int | str) -> dict:
    """Evaluate a checkpoint on a split of the data set in ``data_dir``, tokenised with its own vocabulary."""
    store = open_store(data_dir)
    found, expected = store.regions.shape[-1], checkpoint.state["region_dim"]
    if found != expected:
        raise InputError(f"{data_dir}: regions have {found} dimensions, {checkpoint.directory} was trained on {expected}")
    return evaluate(checkpoint.load_model(), store, tokenize_split(store, split, checkpoint.tokenizer()), protocol, fragments)


def describe(result: dict) -> str:
    """The result of :func:`evaluate` in one line."""
    sides = (f"{side} R@1/5/10 {d['r1']:.1f}/{d['r5']:.1f}/{d['r10']:.1f} (median rank {d['medr']:.0f})" for side, d in ((s, result[s]) for s in ("t2i", "i2t")))
    return f"{', '.join(sides)}, rsum {result['rsum']:.1f}, protocol {result['protocol']}: {result['images']} images, {result['captions']} captions"


def _fold_recalls(model: DualEncoder, store: Store, data: TokenizedSplit, fold: slice, captions: np.ndarray, fragments: int | str) -> Recalls:
    text = encode_texts(model, data.ids[captions]).first(fragments)
    image = encode_images(model, store, data.split.image_rows[fold]).first(fragments)
    scores = late_interaction(text, image).numpy()
    if not np.isfinite(scores).all():  # nothing is better than NaN: every rank would be the first
        raise InputError("the model's scores are not finite: its training diverged; lower optim.lr")
    return recalls(scores, data.split.caption_image[captions] - fold.start)
