"""The shapes that are known without a model are those of the model."""

import numpy as np
import pytest

from inflate_shrink.config import ModelConfig
from inflate_shrink.errors import InputError
from inflate_shrink.model.encoder import DualEncoder
from inflate_shrink.model.parameter_shapes import check_shapes, parameter_shapes

SIZES = dict(hidden=8, layers=2, heads=2, ffn=12)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"codes": 3},
        {"joint": True},
        *({"scoring": name} for name in ("visual_sparta", "scan_t2i", "scan_i2t", "cross")),
    ],
)
def test_of_every_kind_of_model(keys):
    config = ModelConfig(**SIZES, **keys)
    model = DualEncoder(config, vocab_size=5, region_dim=7)
    found = {name: parameter.shape for name, parameter in model.state_dict().items()}
    assert parameter_shapes(config, 5, 7) == {name: list(shape) for name, shape in found.items()}
    check_shapes("file", found, config, 5, 7)


@pytest.mark.parametrize(
    "keys, vocab_size, message",
    [
        ({}, 10**12, r"text_embedding.word.weight has shape \[5, 8\], expected \[1000000000000, 8\]"),
        ({"layers": 10**12}, 5, "41 parameters, model.layers is 1000000000000"),
        ({"ffn": 10**12}, 5, r"transformer.layers.0.intermediate.bias has shape \[12\], expected \[1000000000000\]"),
        ({"layers": 1}, 5, r"transformer.layers.1.attention_norm.bias has shape \[8\], expected None"),
    ],
)
def test_other_shapes_are_named_and_take_no_memory(keys, vocab_size, message):
    found = {name: np.zeros(shape).shape for name, shape in parameter_shapes(ModelConfig(**SIZES), 5, 7).items()}
    with pytest.raises(InputError, match=f"file: weights of another model: {message}"):
        check_shapes("file", found, ModelConfig(**{**SIZES, **keys}), vocab_size, 7)
