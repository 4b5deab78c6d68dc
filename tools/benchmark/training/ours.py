"""Our side of the contest: the engine's own update, with the time of each of its parts."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import paddle

from inflate_shrink.engine.batch_scores import Execution
from inflate_shrink.engine.checkpoint import new_model
from inflate_shrink.engine.objectives import DistillationObjective, RankingObjective
from inflate_shrink.engine.optimizer import build_optimizer
from inflate_shrink.engine.precision import Precision
from inflate_shrink.engine.steps import share
from inflate_shrink.scoring import Fragments, late_interaction

from .case import DIMENSION, Case, batches, teacher_fragments

PARTS = ("encoding", "scoring", "teacher", "loss", "backward", "optimizer")


class Ours:
    """An update of a case, on the CPU."""

    def __init__(self, threads: int):
        paddle.set_device("cpu")  # with as many threads as this process was given

    def prepare(self, case: dict, directory: str) -> None:
        """Draw the weights, and write them to ``directory``/weights.npz."""
        self.case, self.times = Case(**case), defaultdict(float)
        config = self.case.config()
        paddle.seed(config.run.seed)
        self.model = new_model(config, self.case.vocabulary, DIMENSION)
        if self.case.is_student:
            teacher = _Teacher(self.case)
            teacher.scores = self._timed("teacher", teacher.scores)
            share(config.distill, self.model, new_model(self.case.teacher().config(), self.case.vocabulary, DIMENSION))
            self.objective = DistillationObjective(config.distill, teacher)
        else:
            self.objective = RankingObjective(config.loss)
        weights = {name: array.numpy() for name, array in self.model.state_dict().items()}
        frozen = {f"frozen {name}": True for name, given in self.model.named_parameters() if given.stop_gradient}
        np.savez(Path(directory) / "weights.npz", **weights, **frozen)
        self.optimizer = build_optimizer(config.optim, [p for p in self.model.parameters() if not p.stop_gradient])
        self.execution = Execution(Precision(config.amp))
        self.batches = batches(self.case, Path(directory) / "data")
        for part, name in (("encoding", "encode_text"), ("encoding", "encode_image"), ("scoring", "score")):
            setattr(self.model, name, self._timed(part, getattr(self.model, name)))

    def losses(self, updates: int) -> list[float]:
        """Return the loss of each of so many updates without dropout."""
        self.model.eval()
        found = [self._update() for _ in range(updates)]
        self.model.train()
        return found

    def time(self, updates: int) -> list[dict]:
        """Return the milliseconds of each part of so many updates, and of all of them, but for reading the ``data``."""
        found = []
        for _ in range(updates):
            self.times.clear()
            self._update()
            found.append({name: 1000 * seconds for name, seconds in self.times.items()})
        return found

    def _update(self) -> float:
        start = time.perf_counter()
        batch = next(self.batches)
        begin = time.perf_counter()
        loss = self.objective(self.model, batch, self.execution, 0).value
        forward = time.perf_counter()
        loss.backward()
        backward = time.perf_counter()
        self.optimizer.step()
        self.optimizer.clear_grad()
        value = float(loss)
        end = time.perf_counter()
        inside = sum(self.times[part] for part in ("encoding", "scoring", "teacher"))
        self.times.update(data=begin - start, loss=forward - begin - inside, backward=backward - forward)
        self.times.update(optimizer=end - backward, update=end - begin)
        return value

    def _timed(self, part: str, call):
        def timed(*arguments):
            start = time.perf_counter()
            result = call(*arguments)
            self.times[part] += time.perf_counter() - start
            return result

        return timed


class _Teacher:
    """Scores of fragments that are read, as of :class:`inflate_shrink.engine.teacher.Teacher`."""

    directory = "drawn"

    def __init__(self, case: Case):
        self.sides = teacher_fragments(case)

    def scores(self, batch, ranks=None):
        with paddle.no_grad():
            rows = (batch.captions, batch.images)
            read = ([np.asarray(array[some], np.float32) for array in side] for side, some in zip(self.sides, rows))
            text, image = (Fragments(*map(paddle.to_tensor, arrays)) for arrays in read)
            return late_interaction(text, image)
