"""Retrieval evaluation: encode each caption and image once, score in blocks, count ranks."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import paddle

from ..data.store import Store
from ..data.tokenized import TokenizedSplit, tokenize_split
from ..errors import InputError
from ..formatting import HEADINGS, recalls_text
from ..metrics import Recalls, mean_recalls, protocol_folds, recalls
from ..model.encoder import DualEncoder
from .checkpoint import Checkpoint
from .cross import embed_images, embed_texts, match_all
from .encode import encode_images, text_batches


def evaluate(
    model: DualEncoder,
    store: Store,
    data: TokenizedSplit,
    protocol: str = "full",
    fragments: int | str = "all",
    cross: bool = False,
) -> dict:
    """Return the recalls of a split under a protocol, as JSON values (recalls in percent).

    Args:
        protocol: see :func:`inflate_shrink.metrics.protocol_folds`.
        fragments: score only the first so many of the fragments that the model gives.
        cross: score by the cross-BERT of a joint model.
    """
    split = data.split
    folds = protocol_folds(protocol, len(split.image_rows))  # it may refuse, so it comes before the encoding
    training = model.training
    model.eval()
    of = split.caption_image
    captions = [np.flatnonzero((of >= fold.start) & (of < fold.stop)) for fold in folds]
    start = time.perf_counter()
    parts = zip(folds, captions)
    result = mean_recalls([_fold_recalls(model, store, data, *part, fragments, cross) for part in parts])
    seconds = time.perf_counter() - start
    if training:
        model.train()
    values = as_json(result, protocol, sum(fold.stop - fold.start for fold in folds), sum(map(len, captions)))
    if cross or model.is_cross:  # every pair costs a pass of the Transformer
        pairs = sum((fold.stop - fold.start) * len(texts) for fold, texts in zip(folds, captions))
        values["cost"] = {"pairs": pairs, "seconds": seconds}
    return values


def as_json(result: Recalls, protocol: str, images: int, captions: int) -> dict:
    """Return recalls with what they were measured on, as JSON values."""
    sides = {"t2i": result.t2i._asdict(), "i2t": result.i2t._asdict()}
    return {"protocol": protocol, "images": images, "captions": captions, **sides, "rsum": result.rsum}


def evaluate_checkpoint(
    checkpoint: Checkpoint,
    data_dir: str | Path,
    split: str,
    protocol: str = "full",
    fragments: int | str = "all",
    images: int = 0,
    cross: bool = False,
) -> dict:
    """Evaluate a checkpoint on a split of the data set in ``data_dir``, tokenised with its own vocabulary.

    Args:
        images: only the first so many images of the split; 0: all.
        protocol, fragments, cross: see :func:`evaluate`.

    Raises InputError if the model scores no pairs, or fewer fragments than ``fragments``.
    """
    store = checkpoint.open_data(data_dir)
    model = checkpoint.load_model()
    if cross and model.match_head is None:
        way = "train with model.joint=true or model.scoring=cross"
        raise InputError(f"{checkpoint.directory}: a bi-encoder, which does not score pairs: {way}")
    data = tokenize_split(store, split, checkpoint.tokenizer())
    if fragments != "all":
        _check_fragments(checkpoint, fragments, max(data.ids.shape[1], store.regions.shape[1]), cross or model.is_cross)
    result = evaluate(model, store, data.first_images(images), protocol, fragments, cross)
    if "cost" in result:
        result["cost"]["pairs_of_split"] = len(data.split.image_rows) * len(data.ids)
    return result


def _check_fragments(checkpoint: Checkpoint, fragments: int, inputs: int, pairs: bool) -> None:
    held = checkpoint.config.model.fragments_of(inputs)
    if pairs:
        problem = f"scores pairs, not fragments, so it has no first {fragments}; leave --fragments out"
        raise InputError(f"{checkpoint.directory}: {problem}")
    if fragments > held:
        problem = f"has {held} fragments a side, so no first {fragments}; give --fragments {held} or less"
        raise InputError(f"{checkpoint.directory}: {problem}")


def describe(result: dict) -> str:
    """Return the result of :func:`evaluate` in one line."""
    ranks = (result[side]["medr"] for side in ("t2i", "i2t"))
    shown = zip(HEADINGS, recalls_text(result), ranks)
    sides = (f"{head} {recalls} (median rank {rank:.0f})" for head, recalls, rank in shown)
    of = f"protocol {result['protocol']}: {result['images']} images, {result['captions']} captions"
    line = f"{', '.join(sides)}, rsum {result['rsum']:.1f}, {of}"
    return line + _describe_cost(result["cost"]) if "cost" in result else line


def _describe_cost(cost: dict) -> str:
    each = cost["seconds"] / cost["pairs"]
    line = f"; {cost['pairs']} pairs in {cost['seconds']:.1f} s, {1000 * each:.2f} ms each"
    every = cost.get("pairs_of_split", 0)
    if every > cost["pairs"]:
        line += f": all {every} of the split would take {every * each / 60:.0f} min"
    return line


def score_all(
    model: DualEncoder,
    store: Store,
    ids: np.ndarray,
    rows: np.ndarray,
    fragments: int | str = "all",
    cross: bool = False,
) -> np.ndarray:
    """Return the model's scores (images, captions) float32 of all captions with all images.

    In memory are these scores, the images' fragments, and the captions' of one batch.
    """
    if model.is_cross or cross:
        return match_all(model, embed_texts(model, ids), embed_images(model, store, rows), "cross-BERT")
    image = encode_images(model, store, rows, fragments)
    scores, done = np.empty((len(rows), len(ids)), np.float32), 0
    for text in text_batches(model.encode_text, ids):
        with paddle.no_grad():
            some = model.score(text.first(fragments), image).numpy()
        scores[:, done : done + some.shape[1]] = some
        done += some.shape[1]
    return scores


def _fold_recalls(
    model: DualEncoder,
    store: Store,
    data: TokenizedSplit,
    fold: slice,
    captions: np.ndarray,
    fragments: int | str,
    cross: bool,
) -> Recalls:
    scores = score_all(model, store, data.ids[captions], data.split.image_rows[fold], fragments, cross)
    if not np.isfinite([scores.min(), scores.max()]).all():  # nothing is better than NaN: every rank would be the first
        raise InputError("the model's scores are not finite: its training diverged; lower optim.lr")
    return recalls(scores, data.split.caption_image[captions] - fold.start)
