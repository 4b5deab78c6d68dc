"""Ranking losses (Eq. 4 and the contrastive one): pure functions of a score matrix.

Everywhere ``scores`` is (B, B) float32, rows images, columns texts, matching pairs on
the diagonal. ``same_image`` (B, B) bool marks pairs that show the same image: off the
diagonal they are left out of the negatives. None treats all of them as negatives.
"""

from __future__ import annotations

from functools import partial
from typing import Callable

import paddle
import paddle.nn.functional as F

from ..config import LossConfig

_NEVER_CHOSEN = -1e4  # added to the logits of pairs that are no negatives


def sum_of_hinges(scores, margin: float, same_image=None):
    """Return Eq. 4: margin violations of all negatives, in both directions.

    (The paper prints a minus sign before the sum; read so, it would be maximised.)

    >>> scores = paddle.to_tensor([[1.0, 0.75], [0.5, 1.25]])
    >>> float(sum_of_hinges(scores, margin=0.5))  # rows: 0.25 + 0, columns: 0 + 0
    0.25
    """
    by_image, by_text = _violations(scores, margin, _negatives(scores, same_image))
    return by_image.sum() + by_text.sum()


def hardest_negative(scores, margin: float, same_image=None):
    """Return the largest violation of each image and of each text (VSE++, Faghri et al. 2018).

    >>> scores = paddle.to_tensor([[1.0, 0.75, 1.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
    >>> float(hardest_negative(scores, margin=0.5)), float(sum_of_hinges(scores, margin=0.5))
    (0.5, 0.75)
    """
    by_image, by_text = _violations(scores, margin, _negatives(scores, same_image))
    return by_image.max(1).sum() + by_text.max(0).sum()


def smooth_maximum(scores, margin: float, same_image=None, power: int = 8, include_diagonal: bool = True):
    """Return the authors' released loss: a power mean that tends to the hardest negative.

    ``(sum h^power + 1e-5)^(1/power)`` for each image and text, summed. With the
    diagonal in (as released) every term holds the constant margin^power.

    >>> scores = paddle.to_tensor([[1.0, 0.75], [0.5, 1.25]])
    >>> round(float(smooth_maximum(scores, margin=0.5)), 3)  # about the margin for each image and each text
    2.001
    """
    kept = _negatives(scores, same_image)
    if include_diagonal:
        kept = kept + paddle.eye(scores.shape[0])
    by_image, by_text = _violations(scores, margin, kept)
    root = 1.0 / power
    return ((by_image**power).sum(1) + 1e-5).pow(root).sum() + ((by_text**power).sum(0) + 1e-5).pow(root).sum()


def contrastive(scores, scale: float, same_image=None):
    """Return the cross-entropy of each image among the texts and of each text among the images, half weight each.

    The loss of van den Oord et al. 2018 (InfoNCE), in both directions as in CLIP (Radford et al. 2021).

    Args:
        scale: multiplies the scores before the softmax, the inverse of a temperature.

    >>> scores = paddle.eye(2) * 1000
    >>> float(contrastive(scores, scale=1.0)), round(float(contrastive(scores, scale=0.0)), 4)  # 2 log 2
    (0.0, 1.3863)
    """
    logits = scale * scores
    if same_image is not None:
        others = same_image.astype("float32") * (1 - paddle.eye(scores.shape[0]))
        logits = logits + others * _NEVER_CHOSEN
    return -0.5 * sum(paddle.diagonal(F.log_softmax(logits, axis=axis)).sum() for axis in (0, 1))


def ranking_loss(config: LossConfig) -> Callable:
    """Return the loss that ``config`` describes, as ``f(scores, same_image) -> scalar`` (summed over the batch).

    >>> loss = ranking_loss(LossConfig(ranking="sum", margin=0.5, mask_same_image=True))
    >>> scores = paddle.to_tensor([[1.0, 0.75], [0.5, 1.25]])
    >>> float(loss(scores, None)), float(loss(scores, paddle.ones([2, 2], "bool")))  # one image has no negatives
    (0.25, 0.0)
    """
    if config.ranking == "smooth_max":
        loss = partial(
            smooth_maximum, margin=config.margin, power=config.power, include_diagonal=config.include_diagonal
        )
    elif config.ranking == "contrastive":
        loss = partial(contrastive, scale=config.scale)
    else:
        loss = partial({"sum": sum_of_hinges, "hardest": hardest_negative}[config.ranking], margin=config.margin)
    return lambda scores, same_image: loss(scores, same_image=same_image if config.mask_same_image else None)


def landmarks(config: LossConfig, batch_size: int) -> tuple[float, float]:
    """Return the loss of a batch whose pairs are all separated by the margin, and of one with all scores equal.

    A run that stays at the second has collapsed.

    >>> landmarks(LossConfig(ranking="sum", margin=0.5), batch_size=3)
    (0.0, 6.0)
    """
    loss = ranking_loss(config)
    gap = 20 / config.scale if config.ranking == "contrastive" else 2 * config.margin
    separated = paddle.eye(batch_size) * gap
    return float(loss(separated, None)), float(loss(paddle.zeros([batch_size, batch_size]), None))


def _negatives(scores, same_image):
    """Return (B, B) float32: 1 where a pair is a negative, 0 elsewhere."""
    off_diagonal = 1 - paddle.eye(scores.shape[0])
    return off_diagonal if same_image is None else off_diagonal * (1 - same_image.astype("float32"))


def _violations(scores, margin: float, kept):
    """Return hinges [margin - s(positive) + s(negative)]_+ against each row's and each column's positive."""
    positive = paddle.diagonal(scores)
    by_image = F.relu(margin + scores - positive.unsqueeze(1)) * kept
    by_text = F.relu(margin + scores - positive.unsqueeze(0)) * kept
    return by_image, by_text
