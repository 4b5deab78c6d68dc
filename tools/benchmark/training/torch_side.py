"""PyTorch's side of the contest."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from .case import Case, batches, teacher_fragments
from .torch_model import Model, cross_entropy, late_interaction, smooth_maximum


class Torch:
    """The same update as :class:`.ours.Ours`, from its weights."""

    def __init__(self, threads: int):
        torch.set_num_threads(threads)

    def prepare(self, case: dict, directory: str) -> None:
        """Take the weights of ``directory``/weights.npz."""
        self.case = Case(**case)
        self.config = self.case.config()
        with np.load(Path(directory) / "weights.npz") as weights:
            self.model = Model(self.config.model, self.case.vocabulary, dict(weights))
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        optim = self.config.optim
        self.optimizer = torch.optim.AdamW(trained, optim.lr, weight_decay=optim.weight_decay, fused=True)
        self.trained, self.teacher = trained, teacher_fragments(self.case) if self.case.is_student else None
        self.batches = batches(self.case, Path(directory) / "data")

    def losses(self, updates: int) -> list[float]:
        """Return the loss of each of so many updates without dropout."""
        self.model.eval()
        found = [self._update(next(self.batches)) for _ in range(updates)]
        self.model.train()
        return found

    def time(self, updates: int) -> list[dict]:
        """Return the milliseconds of each of so many updates."""
        found = []
        for _ in range(updates):
            batch = next(self.batches)
            start = time.perf_counter()
            self._update(batch)
            found.append({"update": 1000 * (time.perf_counter() - start)})
        return found

    def _update(self, batch) -> float:
        text, counted = self.model.encode_text(torch.from_numpy(batch.ids))
        image, _ = self.model.encode_image(torch.from_numpy(batch.regions))
        loss = self._loss(late_interaction(text, image, counted), batch)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, self.config.optim.clip)
        self.optimizer.step()
        return float(loss)

    def _loss(self, scores, batch):
        ranking, distill = self.config.loss, self.config.distill
        if self.teacher is None:
            return smooth_maximum(scores, ranking.margin, ranking.power)
        with torch.no_grad():
            (text, mask), (image, _) = (map(self._read(batch), side) for side in self.teacher)
            target = late_interaction(text, image, mask)
        return cross_entropy(target, scores, distill.teacher_temperature, distill.student_temperature)

    @staticmethod
    def _read(batch):
        return lambda array: torch.from_numpy(np.asarray(array[batch.captions], np.float32))
