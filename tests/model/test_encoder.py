"""The dual encoder: which fragments it gives, what padding may change, and one layer against float64 numpy."""

import math

import numpy as np
import paddle
import pytest

from inflate_shrink.config import ModelConfig
from inflate_shrink.model.encoder import DualEncoder
from inflate_shrink.model.transformer import TransformerLayer
from inflate_shrink.scoring import late_interaction

WORDS, REGIONS, REGION_DIM, HIDDEN = 6, 5, 7, 16
IDS = np.array([[2, 5, 7, 3, 0, 0], [2, 9, 10, 11, 12, 3]])
COUNTS = np.array([5, 2, 1], "int32")
FEATURES = np.random.RandomState(0).normal(size=(3, REGIONS, REGION_DIM)).astype("float32")


def encoder(**changes):
    paddle.seed(1)
    model = DualEncoder(
        ModelConfig(**{**dict(hidden=HIDDEN, layers=2, heads=2, ffn=24), **changes}),
        vocab_size=13,
        region_dim=REGION_DIM,
    )
    randomize(model)
    model.eval()
    return model


def randomize(layer):
    """Weights as if trained: no bias is 0, no attention uniform."""
    random = np.random.RandomState(2)
    for parameter in layer.parameters():
        parameter.set_value(parameter + paddle.to_tensor(random.normal(scale=0.3, size=parameter.shape), "float32"))


def text(model, ids=IDS):
    return model.encode_text(paddle.to_tensor(ids))


def image(model, features=FEATURES, counts=COUNTS):
    return model.encode_image(paddle.to_tensor(features), paddle.to_tensor(counts))


@pytest.mark.parametrize(
    "codes, fragments, words, regions",
    [
        (0, "all", WORDS, REGIONS),
        (0, 1, 1, 1),
        (0, 4, 4, 4),
        (3, "all", WORDS + 3, REGIONS + 3),
        (3, 4, 4, 4),
        (0, 32, WORDS, REGIONS),
    ],
)
@pytest.mark.parametrize("score_padding", ["counted", "masked"])
def test_fragments(codes, fragments, words, regions, score_padding):
    model = encoder(codes=codes, fragments=fragments, score_padding=score_padding)
    for side, shape in ((text(model), [2, words, HIDDEN]), (image(model), [3, regions, HIDDEN])):
        assert side.vectors.shape == shape
        np.testing.assert_allclose((side.vectors.numpy() ** 2).sum(-1), 1, rtol=1e-5)
        assert side.mask is None if score_padding == "counted" else side.mask.shape == shape[:2]


def test_models_differ_in_codes_alone():
    with_codes = set(encoder(codes=3).state_dict())
    assert with_codes - set(encoder().state_dict()) == {"codes.text", "codes.image"}


def test_l_fragments_are_the_first_of_all():
    everything, few = encoder(codes=3), encoder(codes=3, fragments=4)
    # rounding differs: the last layer of the one computes four positions, that of the other all
    np.testing.assert_allclose(text(few).vectors.numpy(), text(everything).vectors.numpy()[:, :4], atol=1e-6)
    np.testing.assert_allclose(image(few).vectors.numpy(), image(everything).vectors.numpy()[:, :4], atol=1e-6)


def without_attention(model):
    """No position sees another: each output depends on the input at its own slot."""
    for layer in model.transformer.layers:
        for part in (layer.value, layer.attention_output):
            for parameter in part.parameters():
                parameter.set_value(paddle.zeros_like(parameter))
    return model


def test_codes_are_appended_after_words_and_regions():
    plain, inflated = without_attention(encoder()), without_attention(encoder(codes=3))
    inflated.set_state_dict({**inflated.state_dict(), **plain.state_dict()})
    for side, slots, codes in ((text, WORDS, "text"), (image, REGIONS, "image")):
        ours, longer = side(plain).vectors.numpy(), side(inflated).vectors.numpy()
        np.testing.assert_allclose(longer[:, :slots], ours, atol=1e-6)  # slot 0 stays slot 0
        # The codes, the same for every input.
        np.testing.assert_allclose(longer[0, slots:], longer[1, slots:], atol=1e-6)
        parameter = getattr(inflated.codes, codes)
        parameter.set_value(parameter * paddle.to_tensor([[1.0], [0.0], [1.0]]))
        changed = np.abs(side(inflated).vectors.numpy() - longer).max((0, 2)) > 1e-4
        assert changed.nonzero()[0].tolist() == [slots + 1]


def test_codes_reach_the_fragments_through_attention():
    model = encoder(codes=3, fragments=1)
    before = text(model).vectors.numpy(), image(model).vectors.numpy()
    model.codes.text.set_value(-model.codes.text)
    after = text(model).vectors.numpy(), image(model).vectors.numpy()
    assert np.abs(after[0] - before[0]).max() > 1e-3
    np.testing.assert_array_equal(after[1], before[1])  # each side has its own


def test_more_padding_changes_no_valid_fragment():
    model = encoder()
    padded_ids = np.concatenate([IDS, np.zeros((2, 4), "int64")], 1)
    padded_features = np.concatenate([FEATURES, np.zeros((3, 2, REGION_DIM), "float32")], 1)
    np.testing.assert_allclose(
        text(model, padded_ids).vectors.numpy()[:, :WORDS], text(model).vectors.numpy(), atol=1e-5
    )
    np.testing.assert_allclose(
        image(model, padded_features).vectors.numpy()[:, :REGIONS], image(model).vectors.numpy(), atol=1e-5
    )


def test_what_stands_in_a_padded_region_changes_no_valid_fragment():
    model = encoder()
    valid = np.arange(REGIONS) < COUNTS[:, None]
    garbage = np.where(valid[:, :, None], FEATURES, 100.0).astype("float32")
    zeros = np.where(valid[:, :, None], FEATURES, 0.0).astype("float32")
    with_garbage, with_zeros = image(model, garbage).vectors.numpy(), image(model, zeros).vectors.numpy()
    np.testing.assert_allclose(with_garbage[valid], with_zeros[valid], atol=1e-6)
    assert np.abs(with_garbage[~valid] - with_zeros[~valid]).max() > 1e-3


@pytest.mark.parametrize("codes", [0, 3])
def test_padding_is_counted_or_masked_in_the_score(codes):
    counted, masked = encoder(codes=codes), encoder(codes=codes, score_padding="masked")
    fragments = [side(counted).vectors.numpy().astype("float64") for side in (text, image)]
    valid = [
        np.concatenate([kept, np.ones((len(kept), codes), bool)], 1)
        for kept in (IDS != 0, np.arange(REGIONS) < COUNTS[:, None])
    ]
    cosines = np.einsum("tld,imd->itlm", *fragments)
    np.testing.assert_allclose(
        late_interaction(text(counted), image(counted)).numpy(), cosines.max(-1).sum(-1), rtol=1e-5
    )
    best = np.where(valid[1][:, None, None, :], cosines, -np.inf).max(-1)
    expected = np.where(valid[0], best, 0).sum(-1)
    assert np.abs(expected - cosines.max(-1).sum(-1)).max() > 0.1
    np.testing.assert_allclose(late_interaction(text(masked), image(masked)).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("score_padding", ["counted", "masked"])
def test_masked_scores_do_not_depend_on_the_padded_length(score_padding):
    model = encoder(score_padding=score_padding)
    scores = [late_interaction(text(model, np.pad(IDS, ((0, 0), (0, more)))), image(model)).numpy() for more in (0, 4)]
    difference = np.abs(scores[0] - scores[1]).max()
    assert difference < 1e-5 if score_padding == "masked" else difference > 0.1


def test_forward_gives_images_by_texts():
    model = encoder()
    scores = model(paddle.to_tensor(IDS), paddle.to_tensor(FEATURES), paddle.to_tensor(COUNTS))
    assert scores.shape == [3, 2]
    np.testing.assert_array_equal(scores.numpy(), late_interaction(text(model), image(model)).numpy())


def test_order_of_words_matters_and_order_of_regions_does_not():
    model = encoder()
    swapped = IDS.copy()
    swapped[1, [2, 3]] = swapped[1, [3, 2]]
    assert np.abs(text(model, swapped).vectors.numpy()[1, 0] - text(model).vectors.numpy()[1, 0]).max() > 1e-3
    flipped = FEATURES.copy()
    flipped[0] = flipped[0, ::-1]
    np.testing.assert_allclose(
        image(model, flipped).vectors.numpy()[0, ::-1], image(model).vectors.numpy()[0], atol=1e-5
    )


def test_one_layer_equals_bert_in_float64():
    layer = TransformerLayer(hidden=12, heads=3, ffn=20, dropout=0.5)
    randomize(layer)
    layer.eval()
    x = np.random.RandomState(3).normal(size=(2, 5, 12))
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
    bias = paddle.to_tensor((1 - mask) * -1e4, "float32").unsqueeze([1, 2])
    ours = layer(paddle.to_tensor(x, "float32"), bias).numpy()
    np.testing.assert_allclose(
        ours,
        bert_layer(x, mask, {k: v.numpy().astype("float64") for k, v in layer.state_dict().items()}, heads=3),
        atol=1e-5,
    )


def bert_layer(x, mask, w, heads):
    """A post-norm Transformer layer with exact GELU, one head and one query at a time."""

    def linear(name, value):
        return value @ w[f"{name}.weight"] + w[f"{name}.bias"]

    def norm(name, value):
        mean, variance = value.mean(-1, keepdims=True), value.var(-1, keepdims=True)
        return (value - mean) / np.sqrt(variance + 1e-12) * w[f"{name}.weight"] + w[f"{name}.bias"]

    query, key, value = (linear(name, x) for name in ("query", "key", "value"))
    size = x.shape[-1] // heads
    attended = np.zeros_like(x)
    for b in range(len(x)):
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            for position in range(x.shape[1]):
                logits = np.array(
                    [
                        query[b, position, part] @ key[b, other, part] / math.sqrt(size)
                        for other in np.flatnonzero(mask[b])
                    ]
                )
                weights = np.exp(logits - logits.max())
                attended[b, position, part] = weights / weights.sum() @ value[b, mask[b] == 1, part]
    x = norm("attention_norm", x + linear("attention_output", attended))
    inner = linear("intermediate", x)
    gelu = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
    return norm("output_norm", x + linear("output", gelu))


def test_fresh_weights_are_berts_and_codes_are_standard_normal():
    paddle.seed(0)
    model = DualEncoder(ModelConfig(hidden=64, layers=1, heads=2, ffn=64, codes=50), vocab_size=400, region_dim=64)
    for name, parameter in model.named_parameters():
        values = parameter.numpy()
        if "norm" in name:
            assert (values == (1 if name.endswith("weight") else 0)).all(), name
        elif name.endswith("bias"):
            assert (values == 0).all(), name
        elif values.size > 1000:
            assert values.std() == pytest.approx(1 if name.startswith("codes") else 0.02, rel=0.05), name


def test_words_without_context():
    model = encoder(scoring="visual_sparta")
    side = text(model)
    np.testing.assert_array_equal(side.vectors.numpy(), model.word_vectors().numpy()[IDS])
    # [CLS], [SEP] and padding do not count.
    assert side.mask.numpy().tolist() == [
        [0, 1, 1, 0, 0, 0],
        [0, 1, 1, 1, 1, 0],
    ]
    assert (np.linalg.norm(image(model).vectors.numpy(), axis=-1) > 1.5).all()  # not normalised


@pytest.mark.parametrize("changes, head", [({}, False), ({"scoring": "cross"}, True), ({"joint": True}, True)])
def test_the_cross_bert_adds_a_head_alone(changes, head):
    added = set(encoder(**changes).state_dict()) - set(encoder().state_dict())
    assert added == ({"match_head.score.weight", "match_head.score.bias"} if head else set())


@pytest.mark.parametrize("codes, fragments", [(0, "all"), (0, 4), (2, "all"), (2, 4), (2, 7)])
def test_words_weigh_as_their_rows_and_sum_to_a_vector_of_length_1(codes, fragments):
    shape = {"codes": codes, "fragments": fragments, "score_padding": "masked"}
    model, equal = encoder(**shape, text_weights="length"), encoder(**shape)
    equal.set_state_dict({name: value for name, value in model.state_dict().items() if name != "codes.weight"})
    plain, weighed = text(equal), text(model)
    assert (weighed.mask == plain.mask).all()
    lengths = np.linalg.norm(model.word_vectors().numpy()[IDS], axis=-1) * (IDS != 0)
    words = plain.vectors.numpy()[:, : len(IDS[0])] * lengths[:, : plain.vectors.shape[1], None]
    words /= np.linalg.norm(words.sum(1), axis=-1)[:, None, None]
    of_codes = plain.vectors.numpy()[:, len(IDS[0]) :]
    if codes:
        of_codes = of_codes * model.codes.weight.numpy()[: of_codes.shape[1], None]
    np.testing.assert_allclose(weighed.vectors.numpy(), np.concatenate([words, of_codes], 1), atol=1e-6)


def test_a_pooled_code_begins_as_the_mean_of_its_inputs_and_finds_the_other_sides():
    model = DualEncoder(
        ModelConfig(hidden=HIDDEN, layers=2, heads=2, ffn=24, codes=2, code_input="pooled", zero_residual=True), 13, 7
    )
    model.eval()
    assert (model.codes.text == model.codes.image).all()
    for side in (model.codes.text, model.codes.image):  # far apart, whatever was drawn
        side.set_value(20 * paddle.eye(2, HIDDEN))
    inputs, norm = model.region_embedding(paddle.to_tensor(FEATURES), paddle.to_tensor(COUNTS)), model.region_embedding
    means = [rows[:count].mean(0, keepdim=True) for rows, count in zip(inputs.vectors, COUNTS.tolist())]
    codes = paddle.stack([norm.norm(norm.norm(mean) + model.codes.image) for mean in means])
    codes = codes / codes.norm(axis=-1, keepdim=True)
    np.testing.assert_allclose(image(model).vectors[:, REGIONS:].numpy(), codes.numpy(), atol=1e-5)
    best = (text(model).vectors[:, -2:].unsqueeze([1, 3]) * image(model).vectors.unsqueeze([0, 2])).sum(-1).argmax(-1)
    assert (best.numpy() == [REGIONS, REGIONS + 1]).all()
