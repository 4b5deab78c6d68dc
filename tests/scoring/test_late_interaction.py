"""Late interaction against hand-computed values and a float64 reference."""

import numpy as np
import paddle
import pytest

from inflate_shrink.scoring import Fragments, late_interaction, normalize


def fragments(vectors, mask=None):
    return Fragments(
        normalize(paddle.to_tensor(vectors, "float32")), None if mask is None else paddle.to_tensor(mask, "float32")
    )


def reference(text, image, text_mask=None, image_mask=None):
    """Eq. 5 in float64, one pair at a time: (images, texts)."""
    scores = np.zeros((len(image), len(text)))
    for i, regions in enumerate(image):
        for t, words in enumerate(text):
            for w, word in enumerate(words):
                cosines = [
                    word @ region / np.linalg.norm(word) / np.linalg.norm(region)
                    for r, region in enumerate(regions)
                    if image_mask is None or image_mask[i, r]
                ]
                if text_mask is None or text_mask[t, w]:
                    scores[i, t] += max(cosines)
    return scores


@pytest.fixture
def random():
    r = np.random.RandomState(0)
    text, image = r.normal(size=(5, 4, 8)), r.normal(size=(3, 6, 8))
    text_mask, image_mask = r.rand(5, 4) > 0.3, r.rand(3, 6) > 0.3
    image_mask[:, 0] = True
    return text, image, text_mask, image_mask


def test_by_hand_and_in_the_right_direction():
    # cosines (.6, 0, -1) and (.8, 1, 0): .6 + 1 over text fragments; over image fragments it would be 1.8
    score = late_interaction(fragments([[[1, 0], [0, 2]]]), fragments([[[3, 4], [0, 1], [-1, 0]]]))
    assert score.shape == [1, 1]
    np.testing.assert_allclose(score.numpy(), [[1.6]], rtol=1e-6)


def test_one_fragment_a_side_is_the_cosine():
    score = late_interaction(fragments([[[1.0, 1.0]]]), fragments([[[1.0, 0.0]], [[-3.0, -3.0]]]))
    np.testing.assert_allclose(score.numpy(), [[0.5**0.5], [-1.0]], rtol=1e-6)


def test_equals_the_float64_reference(random):
    text, image, text_mask, image_mask = random
    np.testing.assert_allclose(
        late_interaction(fragments(text), fragments(image)).numpy(), reference(text, image), rtol=1e-5
    )
    masked = late_interaction(fragments(text, text_mask), fragments(image, image_mask)).numpy()
    np.testing.assert_allclose(masked, reference(text, image, text_mask, image_mask), rtol=1e-5)


@pytest.mark.parametrize("block_elements", [1, 25, 70, 200])
def test_blocks_change_nothing(random, block_elements):
    text, image, text_mask, image_mask = random
    whole = late_interaction(fragments(text, text_mask), fragments(image, image_mask)).numpy()
    blocks = late_interaction(fragments(text, text_mask), fragments(image, image_mask), block_elements).numpy()
    np.testing.assert_allclose(blocks, whole, rtol=1e-6)


@pytest.mark.parametrize("block_elements", [70, 1 << 25])
def test_gradient_equals_autograd_through_the_definition(random, block_elements):
    text, image, text_mask, image_mask = random
    weights = paddle.to_tensor(np.random.RandomState(1).normal(size=(3, 5)), "float32")
    gradients = []
    for score in (_score, _score_by_definition):
        t, i = (paddle.to_tensor(x, "float32", stop_gradient=False) for x in (text, image))
        (score(t, i, text_mask, image_mask, block_elements) * weights).sum().backward()
        gradients.append((t.grad.numpy(), i.grad.numpy()))
    for ours, expected in zip(*gradients):
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("image_mask", [None, [[1, 0], [1, 1]]])
def test_gradient_of_one_side_alone(image_mask):
    words, regions = [[[3.0, 4.0]]], [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]
    for side in (0, 1):
        text, image = (paddle.to_tensor(x, stop_gradient=i != side) for i, x in enumerate((words, regions)))
        mask = None if image_mask is None else paddle.to_tensor(image_mask, "float32")
        late_interaction(Fragments(text), Fragments(image, mask)).sum().backward()
        if side == 0:  # the gradient of a word is the sum of the regions that it chose
            assert text.grad.numpy().tolist() == ([[[0.0, 2.0]]] if image_mask is None else [[[1.0, 1.0]]])
        else:  # and the other way round
            chosen = image.grad.numpy().tolist()
            assert chosen[1] == [[3.0, 4.0], [0.0, 0.0]]
            assert chosen[0] == ([[0.0, 0.0], [3.0, 4.0]] if image_mask is None else [[3.0, 4.0], [0.0, 0.0]])


def _score(text, image, text_mask, image_mask, block_elements):
    masks = [paddle.to_tensor(mask, "float32") for mask in (text_mask, image_mask)]
    return late_interaction(Fragments(normalize(text), masks[0]), Fragments(normalize(image), masks[1]), block_elements)


def _score_by_definition(text, image, text_mask, image_mask, block_elements):
    cosines = paddle.einsum("tld,imd->itlm", normalize(text), normalize(image))
    cosines = paddle.where(paddle.to_tensor(image_mask)[:, None, None, :], cosines, paddle.full([], -5.0))
    return (cosines.max(-1) * paddle.to_tensor(text_mask, "float32")).sum(-1)


def test_first_fragments(random):
    text, image, _, _ = random
    ours = late_interaction(fragments(text).first(2), fragments(image).first(3)).numpy()
    np.testing.assert_allclose(ours, reference(text[:, :2], image[:, :3]), rtol=1e-5)
    assert fragments(text).first("all").vectors.shape == [5, 4, 8]
    assert fragments(text).first(99).vectors.shape == [5, 4, 8]


def test_a_fully_padded_image_cannot_win():
    text = fragments([[[1.0, 0.0]]])
    image = fragments([[[1.0, 0.0]], [[-1.0, 0.0]]], mask=[[0], [1]])
    scores = late_interaction(text, image).numpy()
    assert scores[1, 0] == pytest.approx(-1) and scores[0, 0] <= -1
