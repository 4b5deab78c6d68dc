"""Blocks of a score against cosines that are added by hand."""

import numpy as np
import paddle
import pytest

from inflate_shrink.scoring import Fragments, late_interaction
from inflate_shrink.scoring.blocks import score_blocks

# Two texts of a word, padding (in the first alone) and a code; two images of a region, padding (in the second) and a code.
TEXT = np.array([[[1, 0], [0, 1], [0, -1]], [[0, 1], [-1, 0], [1, 0]]], np.float32)
IMAGE = np.array([[[0.6, 0.8], [-1, 0], [0, 1]], [[-0.8, 0.6], [1, 0], [0.8, -0.6]]], np.float32)
TEXT_PARTS = np.array([[[1, 0, 0], [1, 1, 0]], [[0, 1, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 1]]], bool)
IMAGE_PARTS = np.array([[[1, 1, 0], [1, 0, 0]], [[0, 0, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]]], bool)


def split(block_elements=10**6):
    own = np.array([0, 1])
    return score_blocks(paddle.to_tensor(TEXT), paddle.to_tensor(IMAGE), TEXT_PARTS, IMAGE_PARTS, own, block_elements)


def test_each_block_is_added_by_hand():
    words, padding, codes = split().scores  # each (regions, padding, codes, all; images; texts)
    assert words[0] == pytest.approx(np.array([[0.6, 0.8 + 1], [-0.8, 0.6 + 0.8]]))
    assert words[1] == pytest.approx(np.array([[0, 0], [1, 0 - 1]]))  # the first image has no padding
    assert words[2] == pytest.approx(np.array([[0, 1 + 0], [0.8, -0.6 - 0.8]]))
    assert words[3] == pytest.approx(np.array([[0.6, 1 + 1], [1, 0.6 + 0.8]]))
    assert padding[:, :, 0] == pytest.approx(np.array([[0.8, 0.6], [0, 0], [1, -0.6], [1, 0.6]]))
    assert not padding[:, :, 1].any()  # the second text has none
    assert codes[0] == pytest.approx(np.array([[0, 0.6], [-0.6, -0.8]]))
    assert codes[2] == pytest.approx(np.array([[-1, 0], [0.6, 0.8]]))


def test_maxima_are_counted_by_position():
    found = split()
    assert found.won.tolist() == [[3, 2, 1], [1, 0, 1], [1, 2, 1]]
    assert found.won_own.tolist() == [[3, 0, 0], [0, 0, 1], [0, 2, 0]]


@pytest.mark.parametrize("block_elements", [1, 18])
def test_blocks_of_images_change_nothing(block_elements):
    for one, other in zip(split(), split(block_elements)):
        assert (one == other).all()


def test_all_parts_together_are_late_interaction():
    scores = split().scores[:, -1].sum(0)
    counted = [Fragments(paddle.to_tensor(each)) for each in (TEXT, IMAGE)]
    assert scores == pytest.approx(late_interaction(*counted).numpy())
