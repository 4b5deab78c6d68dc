"""Encoding a collection: what comes out does not depend on how it is cut into batches."""

import weakref

import numpy as np
import paddle
import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.data.text import CaptionTokenizer
from inflate_shrink.data.tokenized import tokenize_split
from inflate_shrink.engine import encode
from inflate_shrink.engine.checkpoint import new_model
from inflate_shrink.engine.encode import encode_images, encode_texts, fill, image_batches, text_batches
from inflate_shrink.scoring import Fragments


@pytest.mark.parametrize("score_padding", ["counted", "masked"])
def test_batch_size_does_not_matter(tiny_data, tiny_config, monkeypatch, score_padding):
    store, tokenizer = open_store(tiny_data), CaptionTokenizer(tiny_data / "vocab.txt", 32)
    test = tokenize_split(store, "test", tokenizer)
    model = new_model(
        tiny_config(f"model.score_padding={score_padding}"), tokenizer.vocab_size, store.regions.shape[-1]
    )
    model.eval()
    whole = encode_texts(model, test.ids), encode_images(model, store, test.split.image_rows)
    assert whole[0].vectors.shape == [50, 4, 16] and whole[1].vectors.shape == [10, 4, 16]
    assert all(side.vectors.stop_gradient for side in whole)
    for batch in (1, 3, 10):
        monkeypatch.setattr(encode, "BATCH", batch)
        parts = encode_texts(model, test.ids), encode_images(model, store, test.split.image_rows)
        for ours, expected in zip(parts, whole):
            np.testing.assert_allclose(ours.vectors.numpy(), expected.vectors.numpy(), atol=1e-6)
            if score_padding == "masked":
                np.testing.assert_array_equal(ours.mask.numpy(), expected.mask.numpy())
            else:
                assert ours.mask is None


def test_images_come_in_the_order_asked_for(tiny_data, tiny_config):
    store = open_store(tiny_data)
    model = new_model(tiny_config(), 10, store.regions.shape[-1])
    model.eval()
    forwards, backwards = (
        encode_images(model, store, np.array(rows)).vectors.numpy() for rows in ([3, 30, 7], [7, 30, 3])
    )
    np.testing.assert_allclose(forwards, backwards[::-1], atol=1e-6)


def test_between_two_batches_gradients_are_as_the_caller_has_them(tiny_data, tiny_config):
    store = open_store(tiny_data)
    model = new_model(tiny_config(), 10, store.regions.shape[-1])
    for batches in (
        text_batches(model.encode_text, np.ones((2, 4), np.int64)),
        image_batches(model.encode_image, store, np.arange(2)),
    ):
        assert next(batches).vectors.stop_gradient and paddle.is_grad_enabled()
        batches.close()


def test_batches_are_put_together_one_by_one():
    """Those that came before are not kept."""
    made = []

    def batches():
        for start in range(0, 10, 2):
            assert sum(reference() is not None for reference in made) <= 1
            vectors = paddle.arange(start, start + 2, dtype="float32").reshape([2, 1, 1])
            made.append(weakref.ref(vectors))
            yield Fragments(vectors, vectors[:, :, 0])
            del vectors

    whole = fill(10, batches())
    assert whole.vectors.flatten().tolist() == whole.mask.flatten().tolist() == list(range(10))
