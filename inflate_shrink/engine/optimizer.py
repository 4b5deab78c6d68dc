"""AdamW and the learning rate as a function of the number of the update alone, so that there is no schedule to save."""

from __future__ import annotations

import math

import numpy as np
import paddle

from ..config import OptimConfig
from ..kernel import training as kernel
from ..scoring.by_kernel import by_kernel


def learning_rate(config: OptimConfig, step: int, updates_per_epoch: int) -> float:
    """Return the rate of update ``step`` (from 0): linear warm-up, then constant, step or cosine decay."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if config.schedule == "step":
        decays = sum(step >= epoch * updates_per_epoch for epoch in config.decay_epochs)
        return config.lr * config.decay_factor**decays
    if config.schedule == "cosine":
        total = config.epochs * updates_per_epoch - config.warmup_steps
        return config.lr * 0.5 * (1 + math.cos(math.pi * (step - config.warmup_steps) / max(1, total)))
    return config.lr


class AdamW(paddle.optimizer.AdamW):
    """Paddle's AdamW, to rounding, whose updates on the CPU are the kernel's: clipped, decayed and applied in one pass.

    Its state is Paddle's own.
    """

    def clear_grad(self, set_to_zero=False):
        """Forget all gradients: kept as zeros they would be added to, and decay what an update does not use.

        A run that is resumed has none either.
        """
        super().clear_grad(set_to_zero)

    def _append_optimize_op(self, block, param_and_grad):
        weight, gradient = param_and_grad
        if not by_kernel(weight, gradient):
            return super()._append_optimize_op(block, param_and_grad)
        names = self._moment1_acc_str, self._moment2_acc_str, self._beta1_pow_acc_str, self._beta2_pow_acc_str
        first, second, *powers = (self._get_accumulator_master(name, weight) for name in names)
        betas, lr = (self._beta1, self._beta2), self.get_lr()
        power1, power2 = (power.item() for power in powers)
        correction = math.sqrt(1 - power2)
        kernel.adamw(
            weight, gradient, first, second, rate=lr * correction / (1 - power1), kept=1 - lr * self._weight_decay,
            betas=betas, epsilon=self._epsilon * correction, scale=self._grad_clip.scale if self._grad_clip else 1.0,
        )  # fmt: skip
        for power, beta in zip(powers, betas):
            power.scale_(beta)
        return None


class _ClipByGlobalNorm(paddle.nn.ClipGradByGlobalNorm):
    """Paddle's, but that gradients on the CPU stay as they are: :class:`AdamW` multiplies them by ``scale``."""

    scale = 1.0

    def _dygraph_clip(self, params_grads):
        if not all(by_kernel(*pair) for pair in params_grads):
            self.scale = 1.0
            return super()._dygraph_clip(params_grads)
        norm = math.sqrt(sum(kernel.square_sum(gradient) for _, gradient in params_grads))
        self.scale = float(self.clip_norm / np.maximum(norm, self.clip_norm))  # NaN stays NaN
        return params_grads


def build_optimizer(config: OptimConfig, parameters) -> AdamW:
    """Return AdamW over the trainable ``parameters``; weight decay acts on all of them, as released."""
    return AdamW(
        config.lr,
        parameters=parameters,
        weight_decay=config.weight_decay,
        grad_clip=_ClipByGlobalNorm(config.clip) if config.clip else None,
    )
