"""A batch's scores are those of all its pairs, though padding and repeated images are not computed."""

import numpy as np
import paddle
import pytest

from inflate_shrink.config import AmpConfig, ModelConfig
from inflate_shrink.data.batches import Batch
from inflate_shrink.engine.batch_scores import Execution, batch_scores
from inflate_shrink.engine.precision import Precision
from inflate_shrink.model.encoder import DualEncoder

random = np.random.RandomState(0)
LENGTHS = [3, 9, 2, 5, 4, 7]
IDS = np.where(np.arange(12) < np.array(LENGTHS)[:, None], random.randint(1, 20, (6, 12)), 0)
IMAGES = np.array([4, 0, 4, 2, 0, 4])  # three images in six pairs
REGIONS, COUNTS = random.normal(size=(5, 8, 7)).astype("float32"), np.array([5, 1, 6, 2, 3], "int32")
BATCH = Batch(IDS, REGIONS[IMAGES], COUNTS[IMAGES], np.arange(6), IMAGES, np.zeros(6, bool))


@pytest.fixture
def encoder():
    def make(**changes):
        paddle.seed(1)
        config = ModelConfig(**{**dict(hidden=16, layers=2, heads=2, ffn=24, dropout=0.0), **changes})
        model = DualEncoder(config, vocab_size=20, region_dim=7)
        for parameter in model.parameters():  # as if trained: no bias is 0, no attention uniform
            parameter.set_value(parameter + 0.3 * paddle.randn(parameter.shape))
        return model

    return make


@pytest.mark.parametrize("padding", ["counted", "masked"])
@pytest.mark.parametrize("codes, fragments", [(0, "all"), (0, 6), (0, 1), (3, "all"), (3, 1), (3, 10)])
@pytest.mark.parametrize("chunk", [0, 2])
def test_scores_and_gradients_are_those_of_the_whole_batch(encoder, padding, codes, fragments, chunk):
    model, weights = encoder(codes=codes, fragments=fragments, score_padding=padding), random.normal(size=(6, 6))

    def run(scores):
        (scores * paddle.to_tensor(weights.astype("float32"))).sum().backward()
        gradients = [parameter.grad.numpy().copy() for parameter in model.parameters()]
        model.clear_gradients()
        return scores.numpy(), gradients

    ids, regions, counts = map(paddle.to_tensor, BATCH[:3])
    expected, expected_gradients = run(model(ids, regions, counts))
    found, gradients = run(batch_scores(model, BATCH, Execution(Precision(AmpConfig()), chunk=chunk)))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for gradient, other in zip(gradients, expected_gradients):
        np.testing.assert_allclose(gradient, other, atol=1e-4 * max(1, np.abs(other).max()))


def calls(model):
    """Let the model count what it encodes; returns the shapes of ids and regions so far."""
    shapes = []
    for name in ("encode_text", "encode_image"):
        encode = getattr(model, name)
        setattr(model, name, lambda *inputs, encode=encode: shapes.append(tuple(inputs[0].shape)) or encode(*inputs))
    return shapes


def test_masked_padding_is_not_computed_and_an_image_once(encoder):
    model = encoder(fragments=10, score_padding="masked")
    shapes = calls(model)
    batch_scores(model, BATCH, Execution(Precision(AmpConfig())))
    assert shapes == [(2, 3), (1, 4), (1, 5), (2, 9), (3, 6, 7)]


def test_counted_padding_is_computed(encoder):
    model = encoder(fragments=12)
    shapes = calls(model)
    batch_scores(model, BATCH, Execution(Precision(AmpConfig())))
    assert shapes == [(6, 12), (3, 8, 7)]


def test_mirrored_photo_is_another_image(encoder):
    model = encoder()
    turned = BATCH._replace(regions=BATCH.regions.copy(), mirrored=np.arange(6) == 5)
    turned.regions[5] *= -1
    ids, regions, counts = map(paddle.to_tensor, turned[:3])
    found = batch_scores(model, turned, Execution(Precision(AmpConfig()))).numpy()
    np.testing.assert_allclose(found, model(ids, regions, counts).numpy(), atol=1e-5)
