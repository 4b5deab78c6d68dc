"""Encoding a batch in chunks gives the loss and the gradients of the plain update."""

import numpy as np
import paddle
import pytest
from rank_work import gradients

from inflate_shrink.data.batches import epoch_batches
from inflate_shrink.data.tokenized import open_training_data
from inflate_shrink.engine import batch_scores
from inflate_shrink.engine.checkpoint import new_model
from inflate_shrink.engine.objectives import _same_image
from inflate_shrink.engine.ranks import ALONE
from inflate_shrink.errors import InputError
from inflate_shrink.losses.ranking import ranking_loss
from inflate_shrink.scoring import Fragments

MODEL = ["optim.batch_size=12", "model.codes=3", "model.fragments=all", "model.score_padding=masked"]


def assert_near(found, expected, tolerance=1e-5):
    """All gradients together are as near as that, each of them too where it is not rounding alone."""
    assert found.keys() == expected.keys()
    sizes = {name: np.linalg.norm(values) for name, values in expected.items()}
    for name, size in sizes.items():
        assert np.linalg.norm(found[name] - expected[name]) <= tolerance * max(size, 1e-2 * max(sizes.values())), name


@pytest.mark.parametrize("chunk", [1, 4, 12])
def test_gradients_are_those_of_the_plain_update(tiny_config, chunk):
    config = [*MODEL, "model.dropout=0"]
    assert_near(gradients(tiny_config(*config, f"optim.chunk={chunk}"), ALONE), gradients(tiny_config(*config), ALONE))


def test_one_chunk_has_the_dropout_of_the_plain_update(tiny_config, monkeypatch):
    monkeypatch.setattr(batch_scores, "TEXT_GROUPS", 1)
    config = [*MODEL, "model.dropout=0.3"]
    found = gradients(tiny_config(*config, "optim.chunk=12"), ALONE)
    assert_near(found, gradients(tiny_config(*config), ALONE), 1e-6)


def test_a_chunk_has_the_same_dropout_both_times(tiny_config):
    config = tiny_config(*MODEL, "model.dropout=0.3", "optim.chunk=4")
    found = gradients(config, ALONE)
    data = open_training_data(config.data, 12)
    batch = next(epoch_batches(data.store, data.train, 12, 0, 0))
    paddle.seed(5)
    model = new_model(config, data.tokenizer.vocab_size, data.region_dim)
    model.train()
    compact = batch_scores._compact(model, batch)
    ids, regions, counts = compact.batch[:3]
    ids = ids[:, : (ids != 0).sum(1).max()]
    paddle.seed(7)
    texts = [model.encode_text(paddle.to_tensor(ids[i : i + 4])) for i in range(0, len(ids), 4)]
    inputs = [[paddle.to_tensor(each[i : i + 4]) for each in (regions, counts)] for i in range(0, len(counts), 4)]
    images = [model.encode_image(*each) for each in inputs]
    text, image = (Fragments(*(paddle.concat(each) for each in zip(*side))) for side in (texts, images))
    scores = compact.restore(model.score(text, image))
    loss = ranking_loss(config.loss)(scores, paddle.to_tensor(_same_image(batch)))
    loss.backward()
    expected = {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None}
    assert_near(found, {"loss": loss.numpy(), **expected})


@pytest.mark.parametrize("model", ["model.scoring=cross", "model.joint=true"])
def test_pairs_of_a_cross_bert_are_no_chunks(tiny_config, model):
    with pytest.raises(InputError, match="'optim.chunk' must be 0 for a cross-BERT or a joint model"):
        tiny_config(model, "optim.chunk=4")
