"""AdamW and the learning rate as a function of the number of the update alone, so that there is no schedule to save."""

from __future__ import annotations

import math

import paddle

from ..config import OptimConfig


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


def build_optimizer(config: OptimConfig, parameters) -> paddle.optimizer.AdamW:
    """Return AdamW over the trainable ``parameters``; weight decay acts on all of them, as released."""
    return paddle.optimizer.AdamW(
        config.lr,
        parameters=parameters,
        weight_decay=config.weight_decay,
        grad_clip=paddle.nn.ClipGradByGlobalNorm(config.clip) if config.clip else None,
    )
