"""Shrinking without training: how well one fitted vector an image finds what late interaction finds.

The vectors are fitted on captions and images of the training split; those of the split that is measured need their own
exact scores with the sample's captions alone, as a new image of an index does (:mod:`inflate_shrink.fitted`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data.tokenized import TokenizedSplit, tokenize_split
from ..errors import InputError
from ..fitted import FitSettings, ceiling, correlation, fit, share_of_best
from ..formatting import HEADINGS, recalls_text, slashes, text_table
from ..kernel import StoredFragments, scores
from ..metrics import recalls
from ..model.encoder import DualEncoder
from .checkpoint import Checkpoint
from .encode import encode_images, encode_texts, stored, that_count
from .evaluate import as_json

SAMPLE_TEXTS, SAMPLE_IMAGES = 4096, 2048  # of the training split, that vectors are fitted on
RANKS = (64, 128, 256)  # at which the ceiling is shown
CANDIDATES = (25, 50, 100, 200)
QUERIES = 1000  # captions over which correlation and shares are means


def evaluate_fitted(
    checkpoint: Checkpoint,
    data_dir: str | Path,
    split: str,
    settings: FitSettings = FitSettings(),
    images: int = 0,
    captions: int = SAMPLE_TEXTS,
) -> dict:
    """Return the recalls of exact scores, of the best that single vectors of a rank can do, and of fitted vectors.

    All are JSON values, with each one's correlation with the exact scores, and the share of the exact ten among its
    best candidates.

    Args:
        images: only the first so many images of the split; 0: all.
        captions: of the training split that are fitted on.

    Raises InputError for a model whose score is not late interaction of several fragments.
    """
    model = checkpoint.config.model
    if model.scoring != "late_interaction" or model.fragments == 1:
        found = f"{model.fragments} fragments, scoring {model.scoring}"
        problem = f"has {found}; vectors are fitted to late interaction of several fragments"
        raise InputError(f"{checkpoint.directory}: {problem}")
    store, encoder, tokenizer = checkpoint.open_data(data_dir), checkpoint.load_model(), checkpoint.tokenizer()
    data = tokenize_split(store, split, tokenizer).first_images(images)
    texts = that_count(encode_texts(encoder, data.ids))
    rows = stored(that_count(encode_images(encoder, store, data.split.image_rows)), "float32")
    exact = scores(texts, rows)

    training = tokenize_split(store, checkpoint.config.data.train_split, tokenizer)
    sample, some = _sample(encoder, store, training, captions, settings.seed)
    fitted = fit(sample, scores(sample, some), settings)
    found = fitted.features(texts) @ fitted.vectors(scores(sample, rows)).T

    ways = {"exact": exact}
    ranks = [rank for rank in RANKS if rank < min(exact.shape)]
    ways.update((f"any vectors, rank {rank}", best) for rank, best in zip(ranks, ceiling(exact, ranks)))
    ways[f"fitted, rank {fitted.rank}"] = found
    return {
        "split": split,
        "images": len(rows),
        "captions": len(texts),
        "fitted_on": {"captions": len(sample), "images": len(some), "random": settings.random, "ridge": settings.ridge},
        "ways": [{"name": name, **_measured(each, exact, data.split.caption_image)} for name, each in ways.items()],
    }


def describe_fitted(result: dict) -> str:
    """Return the result of :func:`evaluate_fitted` as a table."""
    on = result["fitted_on"]
    fitted = f"fitted on {on['captions']} captions and {on['images']} images of the training split"
    form = "{:<22} {:>15} {:>15} {:>6} {:>6}  {}"
    counts = slashes(result["ways"][0]["candidates"], ".0f")
    head = ("", *HEADINGS, "rsum", "rho", f"of the exact ten among {counts}")
    lines = [
        (each["name"], *recalls_text(each), f"{each['rsum']:.1f}", f"{each['rho']:.3f}", slashes(each["shares"]))
        for each in result["ways"]
    ]
    title = f"{result['images']} images, {result['captions']} captions of split {result['split']}; {fitted}"
    return f"{title}\n\n{text_table(form, [head, *lines])}"


def _sample(
    model: DualEncoder, store, training: TokenizedSplit, captions: int, seed: int
) -> tuple[list[np.ndarray], StoredFragments]:
    random = np.random.default_rng(seed)
    texts, images = len(training.ids), len(training.split.image_rows)
    chosen = np.sort(random.permutation(texts)[:captions]), np.sort(random.permutation(images)[:SAMPLE_IMAGES])
    encoded = encode_images(model, store, training.split.image_rows[chosen[1]])
    return that_count(encode_texts(model, training.ids[chosen[0]])), stored(that_count(encoded), "float32")


def _measured(found: np.ndarray, exact: np.ndarray, caption_image: np.ndarray) -> dict:
    """Measure scores (captions, images)."""
    values = as_json(recalls(np.ascontiguousarray(found.T), caption_image), "full", *found.shape[::-1])
    candidates = [count for count in CANDIDATES if count < found.shape[1]] or [found.shape[1]]
    shares = share_of_best(found[:QUERIES], exact[:QUERIES], candidates)
    rho = correlation(found[:QUERIES], exact[:QUERIES])
    return {**values, "rho": rho, "candidates": candidates, "shares": [100 * share for share in shares]}
