"""Names and shapes of a model's parameters, known before the model takes memory."""

from __future__ import annotations

from typing import Iterable, Mapping

from ..config import ModelConfig
from ..errors import InputError
from .inputs import MAX_POSITIONS
from .pooling import KNOTS


def parameter_shapes(config: ModelConfig, vocab_size: int, region_dim: int) -> dict[str, list[int]]:
    """Return the shape of every parameter of :class:`.encoder.DualEncoder`, by its name in ``state_dict``."""
    hidden, ffn = config.hidden, config.ffn
    shapes = {
        "text_embedding.word.weight": [vocab_size, hidden],
        "text_embedding.position.weight": [MAX_POSITIONS, hidden],
        "text_embedding.token_type.weight": [2, hidden],
        **_norm("text_embedding.norm", hidden),
        **_linear("region_embedding.projection", region_dim, hidden),
        **_norm("region_embedding.norm", hidden),
    }
    if config.codes:
        shapes.update({"codes.text": [config.codes, hidden], "codes.image": [config.codes, hidden]})
        if config.weighs_words:
            shapes["codes.weight"] = [config.codes]
    for layer in (f"transformer.layers.{number}" for number in range(config.layers)):
        for name in ("query", "key", "value", "attention_output"):
            shapes.update(_linear(f"{layer}.{name}", hidden, hidden))
        shapes.update(_linear(f"{layer}.intermediate", hidden, ffn))
        shapes.update(_linear(f"{layer}.output", ffn, hidden))
        for name in ("attention_norm", "output_norm"):
            shapes.update(_norm(f"{layer}.{name}", hidden))
    if config.vector != "slot":
        for side in ("text", "image"):
            shapes.update(_linear(f"pooling.{side}_map", hidden, hidden))
            if config.vector != "mean":
                shapes[f"pooling.{side}"] = [hidden if config.vector == "attention" else KNOTS]
    if config.scoring == "cross" or config.joint:
        shapes.update(_linear("match_head.score", hidden, 1))
    return shapes


def check_shapes(
    path, found: Mapping[str, Iterable[int]], config: ModelConfig, vocab_size: int, region_dim: int
) -> None:
    """Raise InputError unless ``found``, the shapes of all arrays in the file ``path``, are those of the model."""
    if config.layers > len(found):
        raise InputError(f"{path}: weights of another model: {len(found)} parameters, model.layers is {config.layers}")
    expected = parameter_shapes(config, vocab_size, region_dim)
    for name in sorted(expected.keys() | found.keys()):
        shape = list(found[name]) if name in found else None
        if shape != expected.get(name):
            problem = f"{name} has shape {shape}, expected {expected.get(name)}"
            raise InputError(f"{path}: weights of another model: {problem}")


def _linear(name: str, inputs: int, outputs: int) -> dict[str, list[int]]:
    return {f"{name}.weight": [inputs, outputs], f"{name}.bias": [outputs]}


def _norm(name: str, size: int) -> dict[str, list[int]]:
    return {f"{name}.weight": [size], f"{name}.bias": [size]}
