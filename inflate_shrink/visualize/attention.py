"""The attention of each layer and head over words, or regions, and codes (Fig. 4)."""

from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np
import paddle

from ..errors import InputError
from ..model.encoder import DualEncoder
from .labels import Labels


class Attention(NamedTuple):
    """labels: L. weights: (layers, heads, L, L); a row is the position that attends, and sums to 1."""

    labels: list[str]
    weights: np.ndarray


def attention(model: DualEncoder, encode: Callable, inputs: tuple[np.ndarray, ...], labels: Labels) -> Attention:
    """Return the attention over the positions of one text or image that are no padding (nothing attends to padding).

    Args:
        encode: ``model.encode_text`` or ``model.encode_image``.
        inputs: its arguments, a batch of one.
        labels: of all positions that these make, None for padding.

    Raises:
        InputError: nothing went through the Transformer: VisualSparta's words do not.
    """
    weights = record(model, encode, inputs)
    if not len(weights):
        raise InputError(
            f"a model with scoring {model.config.scoring} reads its words without attention; give an image instead"
        )
    kept = [position for position, label in enumerate(labels) if label is not None]
    return Attention([labels[position] for position in kept], weights[:, 0][:, :, kept][..., kept])


def record(model: DualEncoder, encode: Callable, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Record the attention of every layer, (layers, B, heads, L, L), padding included, while ``encode(*inputs)`` runs.

    It is asked of each layer with the inputs that the layer gets in the model's own forward pass. Of its last
    layer a model that keeps l fragments uses the first l rows only; all are here.
    """
    taken = []

    def ask(layer, inputs):
        x, attention_bias, *_ = inputs
        taken.append(layer.attention(x, attention_bias).numpy())

    hooks = [layer.register_forward_pre_hook(ask) for layer in model.transformer.layers]
    try:
        with paddle.no_grad():
            encode(*map(paddle.to_tensor, inputs))
    finally:
        for hook in hooks:
            hook.remove()
    return np.array(taken)
