"""A loss that is no number ends a run, with what is needed to look into it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterable

import numpy as np
import paddle

from ..data.tokenized import TokenizedSplit
from ..errors import InputError

_COLLAPSED = 1.0  # a loss scale below this: gradients overflow whatever the loss is multiplied by
_WAY = "lower optim.lr or look at the features"


class Divergence:
    """Finds the update whose loss was not finite, without waiting for the device after each."""

    def __init__(self, run_dir: Path, data: TokenizedSplit):
        self.run_dir, self.data, self.pending = run_dir, data, []

    def add(self, update: int, loss: paddle.Tensor, captions: np.ndarray, loss_scale: float) -> None:
        """Remember the loss of an update (from 1), and the captions (B,) that it is of.

        Raises InputError where ``loss_scale`` after it is so small that no scale makes its gradients finite.
        """
        self.pending.append((update, loss, captions))
        if loss_scale < _COLLAPSED:
            self.check()
            self._stop(f"the gradients are not finite, down to a loss scale of {2 * loss_scale:g},", update, captions)

    def check(self) -> None:
        """Raise InputError for the first loss since the last check that was not finite."""
        pending, self.pending = self.pending, []
        losses = paddle.stack([loss for _, loss, _ in pending]).numpy() if pending else []
        for (update, _, captions), loss in zip(pending, losses):
            if not np.isfinite(loss):
                self._stop(f"the loss is {loss}", update, captions)

    def check_weights(self, parameters: Iterable[paddle.Tensor], update: int) -> None:
        """Raise InputError if a loss or a weight is not finite after an update."""
        self.check()
        if not all(paddle.isfinite(parameter).all() for parameter in parameters):
            raise InputError(f"the weights are not finite at update {update}: {_WAY}; {self._kept()}")

    def _stop(self, what: str, update: int, captions: np.ndarray) -> None:
        numbers = ", ".join(map(str, captions))
        of = f"it is of these captions of split '{self.data.split.name}', counted from 0: {numbers}"
        raise InputError(f"{what} at update {update}: {_WAY}; {self._kept()}; {of}")

    def _kept(self) -> str:
        last = self.run_dir / "last"
        return f"the last checkpoint, {last}, is {os.readlink(last)}" if last.is_symlink() else "no checkpoint is there"
