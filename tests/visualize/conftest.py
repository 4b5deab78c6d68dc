"""A small encoder with weights as if trained, and figures that are kept."""

import numpy as np
import paddle
import pytest

from inflate_shrink.config import ModelConfig
from inflate_shrink.model.encoder import DualEncoder
from inflate_shrink.visualize.figure import Sheet


@pytest.fixture
def encoder():
    """A function: changes to the model's config -> an encoder of 13 words and regions of 7 dimensions."""

    def make(**changes):
        paddle.seed(1)
        model = DualEncoder(
            ModelConfig(**{**dict(hidden=16, layers=2, heads=4, ffn=24), **changes}), vocab_size=13, region_dim=7
        )
        random = np.random.RandomState(2)
        for parameter in model.parameters():
            parameter.set_value(
                paddle.to_tensor(parameter.numpy() + random.normal(scale=0.3, size=parameter.shape), "float32")
            )
        model.eval()
        return model

    return make


@pytest.fixture
def figures(monkeypatch):
    """The figures that would be saved, drawn in the end as saving does."""
    kept = []
    monkeypatch.setattr(
        Sheet, "save", lambda sheet, path: (sheet.figure.draw_without_rendering(), kept.append(sheet.figure))
    )
    return kept
