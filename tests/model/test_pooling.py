"""One vector of all fragments: by hand, at the start and learned, and a start that the layers leave as it is."""

import numpy as np
import paddle
import pytest

from inflate_shrink.config import ModelConfig
from inflate_shrink.model.encoder import DualEncoder
from inflate_shrink.model.parameter_shapes import parameter_shapes
from inflate_shrink.model.pooling import KNOTS, Pooling

VECTORS = np.array([[[1.0, 8.0], [5.0, 2.0], [100.0, -100.0]]], np.float32)  # the third is padding
WEIGHTS = np.array([[1.0, 3.0, 0.0]], np.float32)
KINDS = ["mean", "attention", "generalised"]


def pooled(kind, side="text", learned=None):
    pooling = Pooling(kind, 2)
    pooling.initialize()
    if learned is not None:
        getattr(pooling, side).set_value(paddle.to_tensor(learned, "float32"))
    return pooling(paddle.to_tensor(VECTORS), paddle.to_tensor(WEIGHTS), side).numpy().tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["text", "image"])
def test_all_start_as_the_weighted_mean(kind, side):
    # (1 * 1 + 3 * 5) / 4 and (1 * 8 + 3 * 2) / 4
    np.testing.assert_allclose(pooled(kind, side), [[[4.0, 3.5]]], rtol=1e-5)


def test_attention_multiplies_the_weights():
    # the query gives the logits 0 and log 3 * (5 - 1) / 4 more: weights 1 and 3 * 3
    np.testing.assert_allclose(pooled("attention", learned=[np.log(3) / 4, 0]), [[[4.6, 2.6]]], rtol=1e-5)


def test_generalised_weighs_values_by_rank():
    # Scaled by weights of mean 1 the values are 0.5, 7.5 and 4, 3: the first half of the ranks takes all.
    greatest = [100.0] * (KNOTS // 2) + [0.0] * (KNOTS // 2)
    np.testing.assert_allclose(pooled("generalised", learned=greatest), [[[7.5, 4.0]]], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_what_stands_in_it_change_nothing(kind):
    config = ModelConfig(hidden=16, layers=2, heads=2, ffn=16, fragments=1, vector=kind)
    paddle.seed(0)
    model = DualEncoder(config, vocab_size=9, region_dim=5)
    model.eval()
    shapes = {name: list(each.shape) for name, each in model.state_dict().items()}
    assert shapes == parameter_shapes(config, 9, 5)
    short, long = (paddle.to_tensor([[2, 5, 3] + [0] * padding]) for padding in (0, 3))
    text = model.encode_text(long).vectors.numpy()
    np.testing.assert_allclose(model.encode_text(short).vectors.numpy(), text, atol=1e-6)
    regions = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float32)
    images = model.encode_image(paddle.to_tensor(regions), paddle.to_tensor([2, 4])).vectors.numpy()
    regions[0, 2:] = 7
    changed = model.encode_image(paddle.to_tensor(regions), paddle.to_tensor([2, 4])).vectors.numpy()
    np.testing.assert_allclose(changed, images, atol=1e-6)
    assert text.shape == (1, 1, 16) and np.linalg.norm(images, axis=-1) == pytest.approx(1, abs=1e-5)


def test_layers_that_start_at_zero_give_back_their_input():
    config = ModelConfig(hidden=16, layers=2, heads=2, ffn=16, zero_residual=True)
    model = DualEncoder(config, vocab_size=9, region_dim=5)
    model.eval()
    inputs = model.text_embedding(paddle.to_tensor([[2, 5, 3]]))
    np.testing.assert_allclose(model.transformer(*inputs).numpy(), inputs.vectors.numpy(), atol=1e-5)


def test_longer_word_vectors_count_more():
    model = DualEncoder(ModelConfig(hidden=2, layers=1, heads=1, ffn=2, fragments=1, vector="mean"), 9, 5)
    table = np.zeros((9, 2), np.float32)
    table[3], table[4] = [3, 4], [0, 2]
    model.text_embedding.word.weight.set_value(table)
    np.testing.assert_allclose(model.text_embedding.lengths(paddle.to_tensor([[3, 4]])).numpy(), [[5, 2]], rtol=1e-5)
