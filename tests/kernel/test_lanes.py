"""Vectors stored side by side: rounding, order in a block, and what is refused."""

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel.lanes import LaneVectors, decode_lanes, encode_lanes, interleave, lane_words


def test_numbers_and_places():
    rows, scales = encode_lanes(np.array([[127, -127, 1, 0, 2]], np.float32), 8)
    assert rows.tolist() == [[255, 1, 129, 128, 130, 128, 128, 128]] and scales.tolist() == [1]
    rows, scales = encode_lanes(np.array([[7, -7, 1, 0, 2], [0, 0, 0, 0, 0]], np.float32), 4)
    # the second four dimensions are in the upper halves
    assert rows.tolist() == [[15 + 16 * 10, 1 + 16 * 8, 9 + 16 * 8, 8 + 16 * 8], [8 + 16 * 8] * 4]
    assert scales.tolist() == [1, 0]


def test_word_k_of_sixteen_items_lies_side_by_side():
    rows = np.arange(17 * 8, dtype=np.uint8).reshape(17, 8)
    lanes = interleave(rows)
    assert lanes.shape == (2, 2, 16, 4)
    assert lanes[0, 1, 3].tolist() == rows[3, 4:].tolist() and lanes[1, 0, 0].tolist() == rows[16, :4].tolist()
    assert not lanes[1, :, 1:].any()


@pytest.mark.parametrize("bits, most", [(8, 127), (4, 7)])
def test_rounding_changes_a_number_by_half_a_step_at_most(bits, most):
    vectors = np.random.default_rng(0).normal(size=(20, 13)).astype(np.float32)
    rows, scales = encode_lanes(vectors, bits)
    padded = np.zeros((2, 16), np.float32)
    padded.reshape(-1)[:20] = scales
    stored = LaneVectors(interleave(rows), padded, 20, 13, bits)
    chosen = np.array([19, 3])
    error = np.abs(decode_lanes(stored, chosen) - vectors[chosen])
    step = np.abs(vectors[chosen]).max(1, keepdims=True) / most
    assert (error <= 0.501 * step).all() and error.any()


def test_refused():
    assert lane_words(13, 8) == 4 and lane_words(13, 4) == 2
    with pytest.raises(InputError, match="8 or 4 bits, found 2"):
        lane_words(8, 2)
    with pytest.raises(InputError, match="1 to 65536 dimensions, found 0"):
        lane_words(0, 8)
