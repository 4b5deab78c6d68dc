"""What an update minimises: the ranking loss (train), the matching loss (a cross-BERT) or that of distillation."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import paddle

from ..config import Config, DistillConfig, LossConfig
from ..data.batches import Batch
from ..losses.distillation import distillation_loss
from ..losses.matching import matching_loss
from ..losses.ranking import landmarks, ranking_loss
from ..model.encoder import DualEncoder
from .batch_scores import Execution, batch_fragments, batch_scores
from .cross import EmbeddedSide, embed_batch, match_pairs
from .ranks import ALONE, Ranks
from .targets import FactorisedTargets
from .teacher import Teacher


class Loss(NamedTuple):
    """The loss of one batch."""

    value: paddle.Tensor  # summed over the batch
    scores: paddle.Tensor  # that it is made of

    def to_log(self) -> paddle.Tensor:
        """Return the value without gradient, or NaN where a score is not finite: a hinge would make it 0."""
        finite = paddle.isfinite(self.scores.detach().astype("float32")).all()
        return paddle.where(finite, self.value.detach(), paddle.full_like(self.value, float("nan")))


class Objective(Protocol):
    """What an update minimises."""

    def __call__(self, model: DualEncoder, batch: Batch, execution: Execution, step: int) -> Loss:
        """Return the loss of a batch in update ``step``, the same in all processes that share it."""

    def describe(self, batch_size: int) -> str:
        """Return one line for the log."""


class RankingObjective:
    """Eq. 4 and its variants, on the model's own scores."""

    def __init__(self, config: LossConfig):
        self.config, self.loss = config, ranking_loss(config)

    def __call__(self, model, batch, execution, step):
        scores = batch_scores(model, batch, execution)
        return Loss(self.loss(scores, paddle.to_tensor(_same_image(batch))), scores)

    def describe(self, batch_size):
        """Return the loss and its landmarks for batches of this size in one line."""
        separated, collapsed = landmarks(self.config, batch_size)
        marks = f"{separated:.1f} when every pair is separated, {collapsed:.1f} when all scores are equal"
        c = self.config
        width = f"scale {c.scale:g}" if c.ranking == "contrastive" else f"margin {c.margin}"
        return f"{c.ranking} ranking loss, {width}: {marks}"


class MatchingObjective:
    """Pairs of the batch against hard negatives: of a text's (an image's) candidates the one that is scored highest.

    The candidates of pair i are its neighbours in the batch, whose order is random; other captions
    of its image are not among them.
    """

    def __init__(self, config: LossConfig):
        self.config = config

    def __call__(self, model, batch, execution, step):
        pairs, ranks = np.arange(len(batch.ids)), execution.ranks
        with execution.precision.autocast():
            text, image = embed_batch(model, batch, ranks)
            texts, images = self._hard_negatives(model, text, image, _same_image(batch), ranks)
            texts, images = np.concatenate([pairs, texts]), np.concatenate([pairs, images])

            def match(some):
                rows = paddle.to_tensor(texts[some]), paddle.to_tensor(images[some])
                return model.match(text.inputs.rows(rows[0]), image.inputs.rows(rows[1]))

            scores = ranks.map(match, len(texts))
        return Loss(matching_loss(scores[: len(pairs)], scores[len(pairs) :]), scores)

    def describe(self, batch_size):
        """Return the loss and where it starts for batches of this size in one line."""
        collapsed = 2 * batch_size * np.log(2)
        among = f"hard negatives among {self.candidates(batch_size)} candidates"
        return f"matching loss with {among}: {collapsed:.1f} when all scores are 0"

    def candidates(self, batch_size: int) -> int:
        """Return the number of a text's (an image's) candidates in a batch of this size."""
        return batch_size - 1 if self.config.candidates == "all" else min(self.config.candidates, batch_size - 1)

    def _hard_negatives(self, model, text: EmbeddedSide, image: EmbeddedSide, same_image, ranks: Ranks = ALONE):
        """Return pairs (texts, images): for each text its hardest image, then for each image its hardest text."""
        n = len(same_image)
        texts, shifts = np.divmod(np.arange(n * self.candidates(n)), self.candidates(n))
        images = (texts + 1 + shifts) % n
        scores = np.full((n, n), -np.inf, np.float32)

        def match(some):
            return paddle.to_tensor(match_pairs(model, text, image, texts[some], images[some]))

        scores[texts, images] = ranks.map(match, len(texts)).numpy()
        scores[same_image] = -np.inf
        hardest_image, hardest_text = scores.argmax(1), scores.argmax(0)
        found_image, found_text = np.isfinite(scores.max(1)), np.isfinite(scores.max(0))
        each = np.arange(n)
        texts = np.concatenate([each[found_image], hardest_text[found_text]])
        return texts, np.concatenate([hardest_image[found_image], each[found_text]])


class AlternatingObjective:
    """A joint model's objectives in turn, one update each (Geigle et al. 2022)."""

    def __init__(self, *objectives: Objective):
        self.objectives = objectives

    def __call__(self, model, batch, execution, step):
        return self.objectives[step % len(self.objectives)](model, batch, execution, step)

    def describe(self, batch_size):
        """Return the lines of the objectives as one."""
        return "in turn: " + "; ".join(objective.describe(batch_size) for objective in self.objectives)


class DistillationObjective:
    """Eq. 6 and its variants: the teacher's scores of the same batch are the target, and its factorised scores of all."""

    def __init__(self, config: DistillConfig, teacher: Teacher, targets: FactorisedTargets | None = None):
        self.config, self.teacher, self.loss, self.targets = config, teacher, distillation_loss(config), targets

    def __call__(self, model, batch, execution, step):
        if self.targets is None:
            scores = batch_scores(model, batch, execution)
            return Loss(self.loss(self.teacher.scores(batch, execution.ranks), scores), scores)
        text, image = batch_fragments(model, batch, execution.precision)
        scores = model.score(text, image)
        distance = self.targets.distance(batch, text, image)
        return Loss(self.loss(self.teacher.scores(batch), scores) + self.config.vectors * distance, scores)

    def describe(self, batch_size):
        """Return the loss, its teacher and its temperatures in one line."""
        c = self.config
        temperatures = f"{c.teacher_temperature:g} and {c.student_temperature:g} as {c.temperature_is}s"
        vectors = f", {c.vectors:g} times the distance to its factorised scores" if self.targets else ""
        return f"{c.loss} distillation loss from {self.teacher.directory}, temperatures {temperatures}{vectors}"


def training_objective(config: Config) -> Objective:
    """Return what tools/train.py minimises: matching for a cross-BERT, ranking for others, both for a joint model."""
    if config.model.scoring == "cross":
        return MatchingObjective(config.loss)
    ranking = RankingObjective(config.loss)
    return AlternatingObjective(ranking, MatchingObjective(config.loss)) if config.model.joint else ranking


def _same_image(batch: Batch) -> np.ndarray:
    """Return which pairs show one image, (B, B) bool."""
    return batch.images[:, None] == batch.images[None, :]
