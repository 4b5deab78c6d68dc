"""VisualSparta's and SCAN's scores against values by hand and float64 definitions."""

import numpy as np
import paddle
import pytest

from inflate_shrink.config import ModelConfig
from inflate_shrink.scoring import Fragments, late_interaction, normalize, scan, scoring_function, visual_sparta

WIDTH, SMOOTH, POOL = 8, {"text": 9.0, "image": 4.0}, {"text": 6.0, "image": 5.0}


@pytest.fixture
def sides():
    """Random texts (5, 4) and images (3, 6) with masks, as arrays."""
    r = np.random.RandomState(0)
    masks = r.rand(5, 4) > 0.3, r.rand(3, 6) > 0.3
    for mask in masks:
        mask[:, 0] = True
    return r.normal(size=(5, 4, WIDTH)), r.normal(size=(3, 6, WIDTH)), *masks


def fragments(vectors, mask, unit):
    vectors = vectors if paddle.is_tensor(vectors) else paddle.to_tensor(vectors, "float32")
    return Fragments(
        normalize(vectors) if unit else vectors, None if mask is None else paddle.to_tensor(mask, "float32")
    )


def sparta_reference(words, regions):
    return np.log1p(np.maximum((words @ regions.T).max(1), 0)).sum()


def scan_reference(query, context, side, pooling):
    """Lee et al. 2018, Sec. 3.1, with the attended vectors written out."""
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)  # noqa: E731
    cosines = unit(query) @ unit(context).T
    positive = np.maximum(cosines, 0)
    norms = np.linalg.norm(positive, axis=0)
    weights = np.exp(SMOOTH[side] * positive / np.where(norms == 0, 1, norms))
    attended = (weights / weights.sum(1, keepdims=True)) @ unit(context)
    similarity = (unit(query) * unit(attended)).sum(1)
    return similarity.sum() if pooling == "sum" else np.log(np.exp(POOL[side] * similarity).sum()) / POOL[side]


def by_pair(score, text, image, text_mask, image_mask):
    return np.array([[score(t[tm], i[im]) for t, tm in zip(text, text_mask)] for i, im in zip(image, image_mask)])


def test_sparta_by_hand():
    # the best products are 3 and -1: log 4 + log 1; words and regions keep their norms
    words, regions = [[[1.0, 0.0], [0.0, 1.0]]], [[[3.0, -1.0], [2.0, -2.0]]]
    score = visual_sparta(fragments(words, None, False), fragments(regions, None, False))
    np.testing.assert_allclose(score.numpy(), [[np.log(4.0)]], rtol=1e-6)


@pytest.mark.parametrize("block_elements", [20, 1 << 25])
def test_sparta_equals_the_definition(sides, block_elements):
    text, image, text_mask, image_mask = sides
    score = visual_sparta(fragments(text, text_mask, False), fragments(image, image_mask, False), block_elements)
    np.testing.assert_allclose(score.numpy(), by_pair(sparta_reference, *sides), rtol=1e-5)


@pytest.mark.parametrize("block_elements", [100, 1 << 25])
@pytest.mark.parametrize("pooling", ["sum", "logsumexp"])
@pytest.mark.parametrize("query", ["text", "image"])
def test_scan_equals_the_definition(sides, query, pooling, block_elements):
    text, image, text_mask, image_mask = sides
    score = scan(fragments(text, text_mask, True), fragments(image, image_mask, True), query, pooling, block_elements)
    expected = by_pair(lambda t, i: scan_reference(*((t, i) if query == "text" else (i, t)), query, pooling), *sides)
    np.testing.assert_allclose(score.numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize("scoring", ["visual_sparta", "scan_t2i", "scan_i2t"])
def test_gradient_by_differences(sides, scoring):
    text, image, text_mask, image_mask = sides
    score = scoring_function(ModelConfig(scoring=scoring))
    sparta = scoring == "visual_sparta"

    def total(t, i):
        return score(fragments(t, text_mask, not sparta), fragments(i, image_mask, not sparta)).sum()

    inputs = [paddle.to_tensor(x, "float32", stop_gradient=False) for x in (text, image)]
    total(*inputs).backward()
    step = 1e-2
    for side, (side_values, mask) in enumerate(((text, text_mask), (image, image_mask))):
        at = tuple(np.argwhere(mask)[1]) + (2,)
        values = []
        for sign in (1, -1):
            moved = [text.copy(), image.copy()]
            moved[side][at] += sign * step
            values.append(float(total(*moved)))
        np.testing.assert_allclose(inputs[side].grad.numpy()[at], (values[0] - values[1]) / (2 * step), atol=2e-3)


def test_the_config_chooses():
    text, image = (fragments(x, None, True) for x in np.random.RandomState(1).normal(size=(2, 3, 4, WIDTH)))
    for scoring, expected in (
        ("late_interaction", late_interaction(text, image)),
        ("visual_sparta", visual_sparta(text, image)),
        ("scan_t2i", scan(text, image, "text", "sum")),
        ("scan_i2t", scan(text, image, "image", "sum")),
    ):
        ours = scoring_function(ModelConfig(scoring=scoring, pooling="sum"))(text, image)
        np.testing.assert_array_equal(ours.numpy(), expected.numpy())
