"""The index of a trained model gives exactly the model's ranking."""

import numpy as np
import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.engine.checkpoint import open_checkpoint, write_checkpoint
from inflate_shrink.engine.evaluate import score_all
from inflate_shrink.search.inverted.build import build_inverted_index
from inflate_shrink.search.inverted.index import InvertedIndex

SPARTA = ("model.scoring=visual_sparta", "model.score_padding=masked")


@pytest.fixture(scope="module")
def store(tiny_data):
    return open_store(tiny_data)


@pytest.fixture(scope="module")
def checkpoint_of(trained, tmp_path_factory):
    """A function: a model's overrides -> its checkpoint with words that fit some images, as after long training."""

    def make(*overrides):
        first = open_checkpoint(trained(*overrides))
        model, directory = first.load_model(), tmp_path_factory.mktemp("checkpoints") / "step"
        model.text_embedding.word.weight.set_value(
            np.random.default_rng(0).normal(size=(model.vocab_size, 16)).astype(np.float32)
        )
        write_checkpoint(directory, model, first.config, first.vocab_file.read_bytes(), first.state)
        return open_checkpoint(directory)

    return make


@pytest.fixture(scope="module")
def build(checkpoint_of, store, tmp_path_factory):
    """A function: split and options -> an opened index of the model."""

    def make(split="test", checkpoint=checkpoint_of(*SPARTA), **options):
        directory = tmp_path_factory.mktemp("indexes") / "index"
        build_inverted_index(checkpoint, store.directory, split, directory, **options)
        return InvertedIndex(directory, verify=True)

    return make

    return make


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [SPARTA, (*SPARTA, "model.codes=3", "model.fragments=all")])
def test_the_ranking_is_the_models(build, checkpoint_of, store, overrides):
    checkpoint, split = checkpoint_of(*overrides), store.split("test")
    index = build(checkpoint=checkpoint)
    queries = [*split.captions, "a red ball and a red ball", "ball ball ball", "a zebra on a red box", "red " * 40]
    expected = score_all(checkpoint.load_model(), store, checkpoint.tokenizer()(queries), split.image_rows).T
    assert len(np.unique(expected)) > expected.size / 2  # images differ, so that the order says something
    for query, scores in zip(queries, expected):
        np.testing.assert_allclose(index.scores(index.pieces(query)), scores, atol=1e-4)
        hits = index.search(query, len(index))
        of_hits = [scores[split.image_ids.index(hit.id)] for hit in hits]  # the model's
        for found in (of_hits, [hit.score for hit in hits]):
            np.testing.assert_allclose(found, np.sort(scores)[::-1], atol=1e-4)


def test_all_images_and_those_of_a_split(build, store):
    everything, test = build(split=""), build()
    assert (len(everything), len(test)) == (len(store.image_ids), 10)
    rows = store.split("test").image_rows
    pieces = test.pieces("a red ball")
    np.testing.assert_allclose(everything.scores(pieces)[rows], test.scores(pieces), atol=1e-5)
    assert {hit.id for hit in test.search("red", 99)} == set(store.split("test").image_ids)


def test_smaller_indexes(build):
    whole, cut, half = build(), build(top=3), build(dtype="float16")
    assert cut.meta["postings"] == 3 * len(cut) < whole.meta["postings"]
    pieces = whole.pieces("a red ball")
    np.testing.assert_allclose(half.scores(pieces), whole.scores(pieces), rtol=2e-3, atol=1e-3)


def test_what_it_says_of_itself(build, checkpoint_of, store):
    checkpoint = checkpoint_of(*SPARTA)
    meta = build(checkpoint=checkpoint).meta
    assert meta["model"]["checkpoint"] == str(checkpoint.directory)
    assert meta["model"]["fingerprint"] == checkpoint.fingerprint()[:16]
    assert meta["data"] == {
        "directory": str(store.directory),
        "split": "test",
        "fingerprint": store.fingerprint(),
        "image_root": str(store.directory),
    }
