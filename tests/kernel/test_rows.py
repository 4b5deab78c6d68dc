"""Rounding to a precision: the library and NumPy bit by bit, and the errors it brings."""

import numpy as np
import pytest

from inflate_shrink.kernel import PRECISIONS, ROW_DTYPE, decode_rows, encode_rows, row_width
from inflate_shrink.kernel.rows import _encode, round_to

SPECIAL = np.float32(
    [
        [0, 0, 0, 0, 0],
        [1e-31, -1e-32, 0, 0, 0],  # too small for int8
        [1e-29, -1e-30, 3e-30, 0, 1e-45],
        [127, 0.5, 1.5, -2.5, -0.5],  # ties of int8
        [1, 1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, 2 - 2**-9],  # ties of bf16
        [3.4e38, -3.4e38, 3.38e38, 1e38, -0.0],  # the first two round to infinity in bf16
    ]
)


def random_vectors(rows, dim):
    generator = np.random.default_rng(0)
    return (generator.standard_normal((rows, dim)) * 10.0 ** generator.integers(-20, 20, (rows, 1))).astype(np.float32)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("vectors", [SPECIAL, *(random_vectors(600, dim) for dim in (1, 2, 3, 5, 64, 100)), random_vectors(0, 7)], ids=lambda v: str(v.shape))
def test_the_library_and_numpy_agree_bit_by_bit(precision, vectors):
    width = row_width(vectors.shape[1], precision)
    values, scales = _encode(vectors, width, precision)
    for threads in (1, 3):
        found, found_scales = encode_rows(vectors, precision, threads=threads)
        assert found.dtype == ROW_DTYPE[precision] and found.shape == (len(vectors), width)
        assert found.tobytes() == values.tobytes()
        assert (found_scales is None) == (scales is None) == (precision != "int8")
        assert scales is None or found_scales.tobytes() == scales.tobytes()


def test_int8_by_hand():
    values, scales = encode_rows(SPECIAL, "int8")
    assert values.shape == (6, 8) and (values[:, 5:] == 128).all()
    assert (values[:2] == 128).all() and (scales[:2] == 0).all()
    assert values[3, :5].tolist() == [128 + 127, 128 + 0, 128 + 2, 128 - 2, 128 - 0] and scales[3] == 1
    assert values[5, :2].tolist() == [255, 1]


def test_bfloat16_by_hand():
    values, _ = encode_rows(SPECIAL, "bfloat16")
    assert values.shape == (6, 6) and (values[:, 5] == 0).all()
    assert [hex(bits) for bits in values[4, :5]] == ["0x3f80", "0x3f80", "0x3f82", "0xbf80", "0x4000"]
    assert [hex(bits) for bits in values[5, :5]] == ["0x7f80", "0xff80", "0x7f7e", "0x7e96", "0x8000"]


@pytest.mark.parametrize("precision, width", [("float32", 5), ("bfloat16", 6), ("int8", 8)])
def test_errors_of_rounding(precision, width):
    vectors = random_vectors(300, 5)
    values, scales = encode_rows(vectors, precision)
    assert row_width(5, precision) == width == values.shape[1]
    decoded = decode_rows(values, scales, precision, 5)
    bound = {"float32": 0, "bfloat16": 2**-8 * np.abs(vectors), "int8": 0.50001 * np.abs(vectors).max(1, keepdims=True) / 127}[precision]
    assert decoded.dtype == np.float32 and (np.abs(decoded - vectors) <= bound).all()
    assert np.array_equal(round_to(vectors, precision), decoded)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_center_is_taken_away_and_added_again(precision):
    vectors, center = random_vectors(1, 5) * 0 + np.float32([5, 4, 3, 2, 1]), np.float32([5, 4, 3, 2, 0.5])
    assert np.allclose(decode_rows(*encode_rows(vectors, precision, center=center), precision, 5, center), vectors, rtol=1e-6)


def test_without_the_library(without_library):
    assert np.array_equal(encode_rows(SPECIAL, "int8")[0], _encode(SPECIAL, 8, "int8")[0])


def test_vectors_of_any_layout():
    vectors = random_vectors(6, 10)
    assert np.array_equal(encode_rows(vectors.astype(np.float64)[::2, ::2], "int8")[0], encode_rows(vectors[::2, ::2].copy(), "int8")[0])
