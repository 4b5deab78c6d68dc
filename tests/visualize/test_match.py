"""Each word's best region, in cases small enough to do by hand."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from inflate_shrink.config import Config, ModelConfig
from inflate_shrink.errors import InputError
from inflate_shrink.scoring import Fragments, late_interaction
from inflate_shrink.visualize.choices import Choice
from inflate_shrink.visualize.match import best_image, match, require_choices

# Text: [CLS], a word, padding, a code. Image: two regions, padding, a code. Of length 1, but one.
TEXT = [[1.0, 0.0], [0.6, 0.8], [-0.6, 0.8], [0.0, -1.0]]
IMAGE = [[0.8, 0.6], [0.0, 0.5], [-0.8, 0.6], [0.0, -1.0]]
IDS, REGIONS, COUNTS = np.array([[2, 5, 0]]), np.zeros((1, 3, 7), "float32"), np.array([2], "int32")
TEXT_LABELS, IMAGE_LABELS = ["[CLS]", "ball", None, "code 1"], ["region 1", "region 2", None, "code 1"]


def model_of(text, image, masked=False):
    """A model that gives these fragments, of each image another."""
    mask = paddle.to_tensor([[1.0, 1.0, 0.0, 1.0]])

    def encode_image(regions, counts):
        vectors = [image if len(image) != regions.shape[0] else image[i] for i in range(regions.shape[0])]
        return Fragments(paddle.to_tensor(vectors), mask if masked else None)

    return SimpleNamespace(
        encode_text=lambda ids: Fragments(paddle.to_tensor([text]), mask if masked else None), encode_image=encode_image
    )


def choices(model, ids=IDS):
    return match(model, ids, REGIONS, COUNTS, TEXT_LABELS, IMAGE_LABELS)


def test_padding_counted():
    found = choices(model_of(TEXT, IMAGE))
    assert found.words == [
        Choice("[CLS]", "region 1", pytest.approx(0.8), 0),
        Choice("ball", "region 1", pytest.approx(0.96), 0),
    ]
    assert found.codes == [Choice("code 1", "code 1", pytest.approx(1.0), None)]
    assert found.padding == pytest.approx(0.96) and found.score == pytest.approx(3.72)
    assert found.describe() == "score 3.72 = 1.76 of words + 1.00 of codes + 0.96 of padding"


def test_padding_masked():
    found = choices(model_of(TEXT[2:3] + TEXT[1:], IMAGE, masked=True))  # the first word would choose padding
    assert found.words[0] == Choice("[CLS]", "region 2", pytest.approx(0.4), 1)
    assert found.padding == pytest.approx(0, abs=1e-6)
    assert found.describe() == "score 2.36 = 1.36 of words + 1.00 of codes"


def test_padding_can_be_chosen_where_it_counts():
    found = choices(model_of(TEXT[2:3] + TEXT[1:], IMAGE))
    assert found.words[0] == Choice("[CLS]", "padding", pytest.approx(0.96), None)


def test_the_choices_are_those_of_the_score(encoder):
    model, random = encoder(codes=3, fragments=7), np.random.RandomState(1)
    ids, regions, counts = (
        np.array([[2, 5, 7, 3, 0, 0]]),
        random.normal(size=(1, 5, 7)).astype("float32"),
        np.array([3], "int32"),
    )
    text_labels = ["[CLS]", "b", "d", "[SEP]", None, None, "code 1"]
    found = match(
        model, ids, regions, counts, text_labels, ["region 1", "region 2", "region 3", None, None, "code 1", "code 2"]
    )
    assert [choice.text for choice in found.words + found.codes] == [label for label in text_labels if label]
    text, image = (
        model.encode_text(paddle.to_tensor(ids)),
        model.encode_image(paddle.to_tensor(regions), paddle.to_tensor(counts)),
    )
    assert found.score == pytest.approx(late_interaction(text, image).item())
    cosines = text.vectors[0].numpy() @ image.vectors[0].numpy().T
    np.testing.assert_allclose([choice.cosine for choice in found.words], cosines.max(1)[:4], rtol=1e-5)
    assert found.padding == pytest.approx(cosines.max(1)[4:6].sum(), rel=1e-4)


def test_best_image():
    turned = [[[-x, -y] for x, y in IMAGE[:1]], IMAGE[:1], IMAGE[1:2]]
    store = SimpleNamespace(
        read_regions=lambda rows: (np.zeros((len(rows), 1, 7), "float32"), np.ones(len(rows), "int32"))
    )
    assert best_image(model_of(TEXT[:1], turned), store, IDS, np.array([8, 5, 3])) == 5


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"fragments": 1}, "runs/x: its model has one fragment a side, so its words have nothing to choose from"),
        ({"scoring": "scan_t2i"}, "runs/x: its model.scoring is scan_t2i"),
        ({"fragments": 2}, None),
    ],
)
def test_models_without_choices(changes, message):
    config = Config(model=ModelConfig(**changes))
    if message is None:
        return require_choices(config, "runs/x")
    with pytest.raises(InputError, match=message):
        require_choices(config, "runs/x")
