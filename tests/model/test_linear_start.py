"""The linear start: directions against a direct solution in float64, and what it puts into a model."""

from dataclasses import replace

import numpy as np
import paddle
import pytest

from inflate_shrink.data.tokenized import open_training_data
from inflate_shrink.engine.checkpoint import new_model
from inflate_shrink.engine.evaluate import evaluate
from inflate_shrink.errors import InputError
from inflate_shrink.model.linear_start import LEAST, LIKENESS, RIDGE, LinearModel


@pytest.fixture(scope="module")
def data(tiny_config):
    config = tiny_config()
    return open_training_data(config.data, config.optim.batch_size)


@pytest.fixture(scope="module")
def linear(data):
    return LinearModel(data, dimensions=8)


def bags(linear, ids):
    """tf-idf of the pieces, piece by piece."""
    rows = np.zeros((len(ids), len(linear.pieces)))
    for row, caption in zip(rows, ids):
        for column, piece in enumerate(linear.pieces):
            row[column] = linear.idf[column] if piece in caption else 0
        row /= max(np.linalg.norm(row), 1e-12)
    return rows


def mean_regions(data, split):
    return np.stack(
        [data.store.regions[row, : data.store.region_counts[row]].astype(float).mean(0) for row in split.image_rows]
    )


def test_pieces_and_their_weights(data, linear):
    ids = data.train.ids
    for piece, idf in zip(linear.pieces, linear.idf):
        captions = (ids == piece).any(1).sum()
        assert captions >= LEAST and idf == pytest.approx(np.log(len(ids) / captions), abs=1e-5)
    assert 0 not in linear.pieces  # padding
    missing = set(np.unique(ids)) - set(linear.pieces.tolist()) - {0}
    assert all((ids == piece).any(1).sum() < LEAST for piece in missing)


def test_directions_solve_the_regularised_problem(data, linear):
    """They are the leading eigenvectors of Cxx^-1 Cxy Cyy^-1 Cyx, found here another way."""
    x, y = bags(linear, data.train.ids), mean_regions(data, data.train.split)[data.train.split.caption_image]
    x, y = x - x.mean(0), y - y.mean(0)
    cxx, cyy, cxy = x.T @ x, y.T @ y, x.T @ y
    for covariance in (cxx, cyy):
        covariance += RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    values, vectors = np.linalg.eig(np.linalg.solve(cxx, cxy) @ np.linalg.solve(cyy, cxy.T))
    order = np.argsort(-values.real)
    for k in range(3):
        expected, found = vectors[:, order[k]].real, linear.text[:, k]
        cosine = expected @ found / np.linalg.norm(expected) / np.linalg.norm(found)
        assert abs(cosine) == pytest.approx(1, abs=1e-3)


def test_better_than_chance_on_what_it_has_not_seen(data, linear):
    assert linear.recalls(data.store, data.val).t2i.r1 > 100 / len(data.val.split.image_rows) == 100 / 8


def test_a_model_starts_with_it(data, linear, tiny_config):
    config = tiny_config("model.hidden=16", "model.fragments=all")
    fresh, started = (
        new_model(config, data.tokenizer.vocab_size, data.region_dim),
        new_model(config, data.tokenizer.vocab_size, data.region_dim),
    )
    untouched = {name: value.numpy() for name, value in started.state_dict().items()}
    linear.start(started)
    changed = {name for name, value in started.state_dict().items() if (value.numpy() != untouched[name]).any()}
    assert changed == {
        "text_embedding.word.weight",
        "region_embedding.projection.weight",
        "region_embedding.projection.bias",
    }
    words = started.text_embedding.word.weight.numpy()
    assert (
        words[:, 8:] == untouched["text_embedding.word.weight"][:, 8:]
    ).all()  # only eight directions were asked for
    assert np.linalg.norm(words[linear.pieces, :8], axis=1).mean() == pytest.approx(1, rel=1e-4)
    mean = linear.image_mean @ started.region_embedding.projection.weight.numpy()[:, :8]
    np.testing.assert_allclose(mean + started.region_embedding.projection.bias.numpy()[:8], 0, atol=1e-3)
    assert evaluate(started, data.store, data.val)["rsum"] > evaluate(fresh, data.store, data.val)["rsum"]


def test_too_few_captions(data):
    few = data.train._replace(ids=data.train.ids[: LEAST - 1])
    with pytest.raises(InputError, match="model.init: linear needs"):
        LinearModel(data._replace(train=few), dimensions=8)


def test_learns_from_the_whole_photo_where_it_is_the_first_region(data):
    store = data.store
    whole = replace(store, meta={**store.meta, "extraction": {"whole": True}})
    first = replace(store, region_counts=np.ones_like(store.region_counts))
    ours, expected = (LinearModel(data._replace(store=kind), 16) for kind in (whole, first))
    np.testing.assert_array_equal(ours.image_mean, expected.image_mean)
    assert ours.recalls(whole, data.val) == expected.recalls(first, data.val)
    assert np.abs(ours.image_mean - LinearModel(data, 16).image_mean).max() > 1e-3


def test_entries_of_one_size_are_the_same_function(data, linear, tiny_config):
    plain, sized = (
        new_model(
            tiny_config("model.hidden=8", "model.zero_residual=true", f"model.linear_entries={size}"),
            data.tokenizer.vocab_size,
            data.region_dim,
        )
        for size in (0, 0.5)
    )
    for model in (plain, sized):
        model.eval()
        linear.start(model)
        for table in (model.text_embedding.position, model.text_embedding.token_type):
            table.weight.set_value(table.weight * 0)
    word, projection = sized.text_embedding.word.weight.numpy(), sized.region_embedding.projection.weight.numpy()
    known = np.abs(linear.text * linear.idf[:, None]).sum(1) > 1e-3
    for entries in (word[linear.pieces], projection):
        assert np.sqrt((entries**2).mean()) == pytest.approx(0.5, rel=1e-4)
    assert np.sqrt((plain.region_embedding.projection.weight.numpy() ** 2).mean()) != pytest.approx(0.5, rel=0.1)
    ids = linear.pieces[known][None, :5].astype("int64")
    for encode in (
        lambda model: model.encode_text(paddle.to_tensor(ids)),
        lambda model: model.encode_image(*map(paddle.to_tensor, data.store.read_regions([0, 1]))),
    ):
        np.testing.assert_allclose(encode(plain).vectors.numpy(), encode(sized).vectors.numpy(), atol=1e-3)


def test_what_a_bert_tells_of_pieces_is_a_prior_on_their_vectors(data):
    """Features beside the bag are another covariance of the pieces' vectors: solved here for those, another way."""
    like = np.random.RandomState(0).normal(size=(data.tokenizer.vocab_size, 6))
    linear = LinearModel(data, 4, lambda pieces: like[[data.tokenizer.pieces.index(piece) for piece in pieces]])
    vectors = like[linear.pieces] - like[linear.pieces].mean(0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    x, y = bags(linear, data.train.ids), mean_regions(data, data.train.split)[data.train.split.caption_image]
    x, y = x - x.mean(0), y - y.mean(0)
    prior = np.eye(len(vectors)) + LIKENESS**2 * vectors @ vectors.T  # of the vectors of pieces, as F F'
    cxx, cyy, cxy = x.T @ x, y.T @ y, x.T @ y
    features = len(vectors) + 6
    ridge = RIDGE * np.trace(cxx @ prior) / features
    cyy += RIDGE * np.trace(cyy) / len(cyy) * np.eye(len(cyy))
    values, directions = np.linalg.eig(
        np.linalg.solve(cxx + ridge * np.linalg.inv(prior), cxy) @ np.linalg.solve(cyy, cxy.T)
    )
    order = np.argsort(-values.real)
    for k in range(3):
        expected, found = directions[:, order[k]].real, linear.text[:, k]
        cosine = expected @ found / np.linalg.norm(expected) / np.linalg.norm(found)
        assert abs(cosine) == pytest.approx(1, abs=1e-3)
