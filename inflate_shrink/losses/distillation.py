"""Distillation losses (Eq. 6): pure functions of the teacher's and the student's scores.

Scores are (B, B) float32, rows images, columns texts. ``teacher_scale`` and
``student_scale`` multiply the scores before the softmax. Logarithms of probabilities
come from ``log_softmax``: with scores of 30 times 16 a softmax underflows to 0 and its
logarithm is not finite.
"""

from __future__ import annotations

from functools import partial
from typing import Callable

import paddle
import paddle.nn.functional as F

from ..config import DistillConfig


def positive_cross_entropy(teacher, student, teacher_scale: float, student_scale: float):
    """Return Eq. 6 as printed: text-to-image only, and of each text only its own image's term.

    >>> teacher, student = paddle.eye(2) * 1000, paddle.zeros([2, 2])
    >>> round(float(positive_cross_entropy(teacher, student, 1.0, 1.0)), 4)  # two texts, log 2 each
    1.3863
    """
    target = F.softmax(teacher_scale * teacher, axis=0)
    predicted = F.log_softmax(student_scale * student, axis=0)
    return -(paddle.diagonal(target) * paddle.diagonal(predicted)).sum()


def full_cross_entropy(teacher, student, teacher_scale: float, student_scale: float):
    """Return the authors' released loss: over all pairs of the batch, both directions, half weight each.

    >>> teacher, student = paddle.eye(2) * 1000, paddle.zeros([2, 2])
    >>> round(float(full_cross_entropy(teacher, student, 1.0, 1.0)), 4)
    1.3863
    """
    loss = 0.0
    for axis in (0, 1):  # images compete for each text, texts for each image
        target = F.softmax(teacher_scale * teacher, axis=axis)
        loss = loss - 0.5 * (target * F.log_softmax(student_scale * student, axis=axis)).sum()
    return loss


def distillation_loss(config: DistillConfig) -> Callable:
    """Return the loss that ``config`` describes, as ``f(teacher, student) -> scalar`` (summed over the batch).

    >>> loss = distillation_loss(DistillConfig(teacher_temperature=1.0, student_temperature=1.0))
    >>> round(float(loss(paddle.eye(2) * 1000, paddle.zeros([2, 2]))), 4)  # half of log 2 for each text and each image
    1.3863
    """
    loss = {"positive": positive_cross_entropy, "full": full_cross_entropy}[config.loss]
    return partial(
        loss,
        teacher_scale=_scale(config.teacher_temperature, config.temperature_is),
        student_scale=_scale(config.student_temperature, config.temperature_is),
    )


def _scale(temperature: float, temperature_is: str) -> float:
    return temperature if temperature_is == "multiplier" else 1.0 / temperature
