"""The pictured attention is the one that the model computes with."""

import numpy as np
import paddle
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.visualize.attention import attention, record
from inflate_shrink.visualize.labels import image_labels, shorten, text_labels

IDS = np.array([[2, 5, 7, 9, 3, 0, 0]])
REGIONS, COUNTS = np.random.RandomState(0).normal(size=(1, 5, 7)).astype("float32"), np.array([3], "int32")


class Tokenizer:
    vocab_file = "vocab.txt"
    vocabulary = "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghi"]).encode() + b"\n"


def text(model):
    return model.encode_text, (IDS,), text_labels(IDS[0], Tokenizer, model.config.codes)


def image(model):
    return model.encode_image, (REGIONS, COUNTS), image_labels(3, 5, model.config.codes)


def test_labels(encoder):
    assert text(encoder(codes=2))[2] == ["[CLS]", "b", "d", "f", "[SEP]", None, None, "code 1", "code 2"]
    assert image(encoder())[2] == ["region 1", "region 2", "region 3", None, None]
    assert [shorten("abcdef", length) for length in (6, 5)] == ["abcdef", "abcd…"]


@pytest.mark.parametrize("codes", [0, 3])
@pytest.mark.parametrize("side", [text, image])
def test_the_layers_with_these_attentions_give_the_models_output(encoder, side, codes):
    model = encoder(codes=codes)
    encode, inputs, labels = side(model)
    pictured = attention(model, encode, inputs, labels)
    kept = [i for i, label in enumerate(labels) if label is not None]
    assert pictured.labels == [labels[i] for i in kept]

    entered = []
    hook = model.transformer.register_forward_pre_hook(lambda layer, inputs: entered.append(inputs[0]))
    with paddle.no_grad():
        expected = encode(*map(paddle.to_tensor, inputs)).vectors.numpy()[0, kept]
        x = entered[0][:, kept]
        for layer, weights in zip(model.transformer.layers, pictured.weights):
            values = layer.value(x).reshape([1, len(kept), 4, 4]).transpose([0, 2, 1, 3])
            attended = (
                paddle.matmul(paddle.to_tensor(weights[None]), values)
                .transpose([0, 2, 1, 3])
                .reshape([1, len(kept), 16])
            )
            x = layer.attention_norm(x + layer.attention_output(attended))
            x = layer.output_norm(x + layer.output(paddle.nn.functional.gelu(layer.intermediate(x))))
    hook.remove()
    found = x.numpy()[0]
    np.testing.assert_allclose(found / np.linalg.norm(found, axis=-1, keepdims=True), expected, atol=1e-5)


@pytest.mark.parametrize("side, padding", [(text, [5, 6]), (image, [3, 4])])
def test_rows_sum_to_one_and_padding_gets_nothing(encoder, side, padding):
    model = encoder(codes=3)
    encode, inputs, labels = side(model)
    everything = record(model, encode, inputs)
    assert everything.shape == (2, 1, 4, len(labels), len(labels))
    assert (everything[..., padding] < 1e-20).all() and (np.delete(everything, padding, axis=-1) > 1e-10).all()
    pictured = attention(model, encode, inputs, labels)
    np.testing.assert_allclose(pictured.weights.sum(-1), 1, rtol=1e-5)
    assert np.abs(pictured.weights[:, 0] - pictured.weights[:, 1]).max() > 0.01  # heads differ


def test_the_last_layer_of_a_model_of_few_fragments_is_whole(encoder):
    model = encoder(fragments=1)
    assert attention(model, *text(model)).weights.shape == (2, 4, 5, 5)


def test_the_model_is_left_as_it_was(encoder):
    model = encoder()
    encode, inputs, labels = text(model)

    def fail(ids):
        encode(ids)
        raise ValueError

    with pytest.raises(ValueError):
        attention(model, fail, inputs, labels)
    assert not any(layer._forward_pre_hooks for layer in model.transformer.layers)


def test_words_without_attention(encoder):
    model = encoder(scoring="visual_sparta")
    with pytest.raises(InputError, match="scoring visual_sparta reads its words without attention"):
        attention(model, *text(model))
    assert attention(model, *image(model)).weights.shape == (2, 4, 3, 3)
