"""Whether a final score that mixes late interaction with F's finds more than late interaction alone."""

from __future__ import annotations

from typing import Callable

import numpy as np

from inflate_shrink.data.store import Split, Store
from inflate_shrink.engine.checkpoint import Checkpoint
from inflate_shrink.engine.encode import image_batches, stored, text_batches
from inflate_shrink.kernel import scores
from inflate_shrink.search.fit_stage import rows_of

from .cascade_settings import CascadeBenchmark

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)  # of F's score, when both spread alike over images
RECALLS = (1, 5, 10)
_TRAINING = 1_000  # images, with a caption each


def measure_mixing(
    checkpoint: Checkpoint, first: Checkpoint, store: Store, amount: CascadeBenchmark, say: Callable[[str], None]
) -> dict:
    """Search the photos of the split by all its captions, and photos of the training split by a caption of each.

    Returns:
        ``weights``; ``training`` and ``split``: for each weight R@1, R@5 and R@10 in percent; ``fitted``: the weight with
        the highest R@1 on the training split.
    """
    say("mixed scores")
    split, training = store.split(amount.split), store.split("train")
    _, captions = np.unique(training.caption_image, return_index=True)
    captions = np.random.default_rng(amount.seed).permutation(captions)[:_TRAINING]
    found, spreads = {}, None
    for name, of, chosen in (("training", training, captions), ("split", split, np.arange(len(split.captions)))):
        images, where = np.unique(of.caption_image[chosen], return_inverse=True)
        both = [_scores(model, store, of, chosen, images) for model in (checkpoint, first)]
        spreads = spreads or [float(side.std(1).mean()) for side in both]  # those of the training split
        exact, one = (side / spread for side, spread in zip(both, spreads))
        found[name] = [_recalls(exact + weight * one, where) for weight in WEIGHTS]
    highest = int(np.argmax([recalls[0] for recalls in found["training"]]))
    return {"weights": list(WEIGHTS), "fitted": WEIGHTS[highest], **found}


def _scores(checkpoint: Checkpoint, store: Store, split: Split, captions: np.ndarray, images: np.ndarray) -> np.ndarray:
    model = checkpoint.load_model()
    texts, counts = rows_of(
        text_batches(model.encode_text, checkpoint.tokenizer()([split.captions[i] for i in captions]))
    )
    rows, lengths = rows_of(image_batches(model.encode_image, store, split.image_rows[images]))
    return scores(np.split(texts, np.cumsum(counts)[:-1]), stored(np.split(rows, np.cumsum(lengths)[:-1]), "float32"))


def _recalls(found: np.ndarray, where: np.ndarray) -> list[float]:
    """Return R@K in percent, given scores (queries, images) and the image of each query."""
    ranks = (found > np.take_along_axis(found, where.reshape(-1, 1), axis=1)).sum(1)
    return [100 * float((ranks < k).mean()) for k in RECALLS]
