"""Rounding to a precision: the library and NumPy bit by bit, and the errors it brings."""

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import (
    PRECISIONS,
    ROW_DTYPE,
    StoredFragments,
    decode_rows,
    encode_rows,
    paths,
    row_width,
    scores,
)
from inflate_shrink.kernel.stored import MOST_INT8_DIMENSIONS, _encode, round_to

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
@pytest.mark.parametrize(
    "vectors",
    [SPECIAL, *(random_vectors(600, dim) for dim in (1, 2, 3, 5, 64, 100)), random_vectors(0, 7)],
    ids=lambda v: str(v.shape),
)
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
    bound = {
        "float32": 0,
        "bfloat16": 2**-8 * np.abs(vectors),
        "int8": 0.50001 * np.abs(vectors).max(1, keepdims=True) / 127,
    }[precision]
    assert decoded.dtype == np.float32 and (np.abs(decoded - vectors) <= bound).all()
    assert np.array_equal(round_to(vectors, precision), decoded)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_center_is_taken_away_and_added_again(precision):
    vectors, center = random_vectors(1, 5) * 0 + np.float32([5, 4, 3, 2, 1]), np.float32([5, 4, 3, 2, 0.5])
    assert np.allclose(
        decode_rows(*encode_rows(vectors, precision, center=center), precision, 5, center), vectors, rtol=1e-6
    )


def test_without_the_library(without_library):
    assert np.array_equal(encode_rows(SPECIAL, "int8")[0], _encode(SPECIAL, 8, "int8")[0])


def test_vectors_of_any_layout():
    vectors = random_vectors(6, 10)
    assert np.array_equal(
        encode_rows(vectors.astype(np.float64)[::2, ::2], "int8")[0], encode_rows(vectors[::2, ::2].copy(), "int8")[0]
    )


VECTORS = np.ones((2, 5), np.float32)


@pytest.mark.parametrize(
    "vectors, options, message",
    [
        (VECTORS, {"precision": "int4"}, "the precision of rows is one of float32, bfloat16, int8, found 'int4'"),
        (VECTORS[0], {}, r"vectors are an array \(.., ..\) of float32, found \(5,\) float32"),
        (VECTORS[:, :0], {}, "rows in int8 have 1 to 132104 dimensions, found 0"),
        (
            np.zeros((1, MOST_INT8_DIMENSIONS + 1), np.float32),
            {},
            "rows in int8 have 1 to 132104 dimensions, found 132105",
        ),
        (np.array([["a"]]), {}, "vectors are an array .* found .*<U1"),
        ([[1, 2], [3]], {}, "vectors are an array"),
        (VECTORS, {"center": np.zeros(4)}, r"a center's numbers are an array \(5\) of float32, found \(4,\)"),
        (VECTORS, {"threads": 2**31}, "threads must be 0"),
        (VECTORS, {"threads": 1.5}, "threads must be 0"),
    ],
)
def test_vectors_that_cannot_be_encoded(vectors, options, message):
    with pytest.raises(InputError, match=message) as error:
        encode_rows(vectors, **{"precision": "int8", **options})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"precision": "int4"}, "the precision of rows is one of"),
        ({"dim": 9}, r"rows of 9 dimensions in int8 are an array \(.., 12\) of uint8, found \(2, 8\) uint8"),
        ({"dim": 0}, "found 0"),
        ({"values": [[1]]}, "found list"),
        ({"values": np.zeros((2, 8))}, "of uint8, found .* float64"),
        ({"scales": None}, r"scales of int8 rows are an array \(2\) of float32"),
        ({"scales": np.ones(1)}, r"scales of int8 rows are an array \(2\) of float32, found \(1,\)"),
        ({"precision": "float32", "values": np.zeros((2, 5), np.float32)}, "rows in float32 have no scales"),
        ({"center": np.zeros(4)}, "a center's numbers"),
    ],
)
def test_rows_that_cannot_be_decoded(changes, message):
    values, scales = encode_rows(VECTORS, "int8")
    with pytest.raises(InputError, match=message):
        decode_rows(**{"values": values, "scales": scales, "precision": "int8", "dim": 5, **changes})


def test_the_most_dimensions_of_int8():
    """One more and the sum of 127 * 128 would not fit."""
    rows = StoredFragments(
        *encode_rows(np.ones((1, MOST_INT8_DIMENSIONS), np.float32), "int8"), np.arange(2), "int8", MOST_INT8_DIMENSIONS
    )
    for path in paths():
        for sign in (1, -1):
            np.testing.assert_allclose(
                scores([sign * np.ones((1, MOST_INT8_DIMENSIONS))], rows, path=path),
                [[sign * MOST_INT8_DIMENSIONS]],
                rtol=1e-3,
            )
