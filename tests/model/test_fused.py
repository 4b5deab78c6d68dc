"""The steps of a layer by the kernel: values, gradients and dropout are those of Paddle's operators."""

import numpy as np
import paddle
import pytest

from inflate_shrink.kernel import training
from inflate_shrink.model import fused
from inflate_shrink.model.inputs import RegionEmbedding, TextEmbedding
from inflate_shrink.model.transformer import Linear, Transformer

if not training.available():
    pytest.skip("the kernel was not built", allow_module_level=True)


def run(call, parameters, x):
    """What ``call`` makes of x with dropout from one seed, and the gradients of x and of the parameters."""
    paddle.seed(5)
    given = paddle.to_tensor(x, stop_gradient=False)
    out = call(given)
    paddle.seed(6)
    (out * paddle.randn(out.shape)).sum().backward()
    found = [out, given.grad, *(each.grad for each in parameters)]
    arrays = [None if each is None else each.numpy().copy() for each in found]
    for each in parameters:
        each.clear_gradient()
    return arrays


def compare(call, parameters, x, monkeypatch):
    fast = run(call, parameters, x)
    monkeypatch.setattr(fused, "applies", lambda *tensors: False)
    for ours, paddles in zip(fast, run(call, parameters, x)):
        if paddles is None:
            assert ours is None
        else:
            np.testing.assert_allclose(ours, paddles, atol=2e-5 * max(1, np.abs(paddles).max()))


@pytest.mark.parametrize("first", [None, 1, 4])
@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_layers(first, dropout, monkeypatch):
    paddle.seed(1)
    model = Transformer(2, 12, 3, 20, dropout)
    for each in model.parameters():
        each.set_value(each + 0.3 * paddle.randn(each.shape))
    mask = paddle.to_tensor(np.arange(7) < np.array([[7], [2], [4]]), dtype="float32")
    x = np.random.default_rng(0).normal(size=(3, 7, 12)).astype(np.float32)
    compare(lambda given: model(given, mask, first), model.parameters(), x, monkeypatch)


@pytest.mark.parametrize("frozen", [False, True])
def test_embeddings(frozen, monkeypatch):
    text, region, ids = TextEmbedding(9, 6, 0.25), RegionEmbedding(5, 6), paddle.to_tensor([[3, 8, 0], [1, 0, 0]])
    if frozen:
        for each in (text.word.weight, region.projection.weight, region.norm.bias):
            each.stop_gradient = True
    regions = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float32)

    def embed(given):
        images = region(given, paddle.to_tensor([4, 1]))
        return paddle.concat([text(ids).vectors, images.vectors], axis=1)

    compare(embed, [*text.parameters(), *region.parameters()], regions, monkeypatch)


@pytest.mark.parametrize("frozen", ["weight", "bias"])
def test_a_frozen_parameter_has_no_gradient(frozen, monkeypatch):
    layer = Linear(5, 3)
    getattr(layer, frozen).stop_gradient = True
    compare(layer, layer.parameters(), np.ones((2, 4, 5), np.float32), monkeypatch)


def test_what_has_no_gradient_is_paddles(monkeypatch):
    monkeypatch.setattr(fused, "linear", None)
    layer, x = Linear(5, 3), paddle.ones([2, 5])
    with paddle.no_grad():
        np.testing.assert_allclose(layer(x).numpy(), (x @ layer.weight + layer.bias).numpy(), rtol=1e-5)
