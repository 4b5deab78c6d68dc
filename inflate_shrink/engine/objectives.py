"""What a step minimises: the ranking loss (train) or the distillation loss (distill)."""

from __future__ import annotations

from typing import Protocol

import paddle

from ..config import DistillConfig, LossConfig
from ..data.batches import Batch
from ..losses.distillation import distillation_loss
from ..losses.ranking import landmarks, ranking_loss
from .teacher import Teacher


class Objective(Protocol):
    def __call__(self, scores: paddle.Tensor, batch: Batch) -> paddle.Tensor:
        """The loss, summed over the batch, of the student's scores (B, B), rows images."""

    def describe(self, batch_size: int) -> str:
        """One line for the log."""


class RankingObjective:
    """Eq. 4 and its variants, on the model's own scores."""

    def __init__(self, config: LossConfig):
        self.config, self.loss = config, ranking_loss(config)

    def __call__(self, scores, batch):
        same_image = paddle.to_tensor(batch.images[:, None] == batch.images[None, :])
        return self.loss(scores, same_image)

    def describe(self, batch_size):
        separated, collapsed = landmarks(self.config, batch_size)
        return f"{self.config.ranking} ranking loss, margin {self.config.margin}: {separated:.1f} when every pair is separated, {collapsed:.1f} when all scores are equal"


class DistillationObjective:
    """Eq. 6 and its variants: the teacher's scores of the same batch are the target."""

    def __init__(self, config: DistillConfig, teacher: Teacher):
        self.config, self.teacher, self.loss = config, teacher, distillation_loss(config)

    def __call__(self, scores, batch):
        return self.loss(self.teacher.scores(batch), scores)

    def describe(self, batch_size):
        c = self.config
        return f"{c.loss} distillation loss from {self.teacher.directory}, temperatures {c.teacher_temperature:g} and {c.student_temperature:g} as {c.temperature_is}s"
