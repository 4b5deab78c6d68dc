"""Late interaction by Paddle's operators, on the CPU, against the CPU kernel and against float64."""

import warnings
from dataclasses import replace

import numpy as np
import paddle
import pytest

from inflate_shrink import kernel
from inflate_shrink.errors import InputError
from inflate_shrink.search.device.rows import DeviceRows

RAGGED, QUERIES = [3, 0, 13, 1, 9, 0, 7], [5, 0, 8, 1]


@pytest.fixture(autouse=True)
def on_the_cpu():
    device = paddle.device.get_device()
    paddle.set_device("cpu")
    yield
    paddle.set_device(device)


def paddle_scores(queries, rows, items=None, stored="image", dtype="float16", block_bytes=0):
    return DeviceRows(rows, dtype, block_bytes, resident=False).scores(queries, items, stored)


def make_problem(precision, lengths=RAGGED, query_lengths=QUERIES, dim=33):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((sum(lengths) + sum(query_lengths), dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values, scales = kernel.encode_rows(vectors[: sum(lengths)], precision)
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    return kernel.StoredFragments(values, scales, offsets, precision, dim), np.split(
        vectors[sum(lengths) :], np.cumsum(query_lengths)[:-1]
    )


def by_hand(queries, rows, items, stored):
    """Eq. 5 in float64."""
    vectors = kernel.decode_rows(rows.values, rows.scales, rows.precision, rows.dim).astype(np.float64)
    out = np.full((len(queries), len(items)), -np.inf)
    for q, query in enumerate(queries):
        for i, item in enumerate(items):
            products = vectors[rows.offsets[item] : rows.offsets[item + 1]] @ query.T.astype(np.float64)
            if len(products) and (stored == "image" or len(query)):
                out[q, i] = products.max(0).sum() if stored == "image" else products.max(1).sum()
    return out


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("block_bytes", [0, 1, 12_000], ids=["one block", "an item a block", "some"])
@pytest.mark.parametrize("stored", ["image", "text"])
@pytest.mark.parametrize("precision", kernel.PRECISIONS)
def test_scores_are_eq_5(precision, stored, block_bytes, resident):
    rows, queries = make_problem(precision)
    kept = DeviceRows(rows, "float32", block_bytes, resident)
    np.testing.assert_allclose(kept.scores(queries, stored=stored), by_hand(queries, rows, range(7), stored), atol=2e-6)
    items = np.array([6, 1, 0, 4, 4])
    np.testing.assert_allclose(kept.scores(queries, items, stored), by_hand(queries, rows, items, stored), atol=2e-6)


# The kernel rounds queries too.
@pytest.mark.parametrize("stored", ["image", "text"])
@pytest.mark.parametrize("precision, rounding", [("float32", 1e-6), ("bfloat16", 2e-3), ("int8", 4e-3)])
def test_scores_are_the_kernels(precision, rounding, stored):
    rows, queries = make_problem(precision, [4] * 20, [6] * 3)
    found = paddle_scores(queries, rows, stored=stored, dtype="float32")
    np.testing.assert_allclose(found, kernel.scores(queries, rows, stored=stored), atol=8 * rounding)


@pytest.mark.parametrize(
    "query_lengths, items", [([], None), ([0], None), ([2], np.array([], np.int64)), ([2], np.array([1, 5]))]
)
def test_nothing_to_score(query_lengths, items):
    rows, queries = make_problem("int8", query_lengths=query_lengths)
    queries = queries[: len(query_lengths)]
    for stored in ("image", "text"):
        found = paddle_scores(queries, rows, items, stored, "float32")
        np.testing.assert_array_equal(found, by_hand(queries, rows, np.arange(7) if items is None else items, stored))


def test_an_empty_index():
    rows, queries = make_problem("bfloat16", [], [4])
    assert DeviceRows(rows, "float32").scores(queries).shape == (1, 0)


def test_rows_are_read_through_a_memory_map_of_read_only_files(tmp_path):
    rows, queries = make_problem("int8")
    np.save(tmp_path / "values.npy", rows.values)
    mapped = replace(rows, values=np.load(tmp_path / "values.npy", mmap_mode="r"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(
            paddle_scores(queries, mapped, dtype="float32"), paddle_scores(queries, rows, dtype="float32")
        )


def test_blocks_stay_below_their_bound():
    rows, _ = make_problem("float32", [8] * 100, [1], dim=16)
    kept = DeviceRows(rows, "float32", block_bytes=50_000)
    step, row_bytes = kept._items_at_once(8), 4 * 16 * 4  # stored, decoded, and two copies on the way
    assert step * 8 * row_bytes <= 50_000 < (step + 1) * 8 * row_bytes


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_needs_a_gpu_and_says_so(dtype):
    rows, queries = make_problem("int8")
    with pytest.warns(UserWarning, match=f"{dtype} products need a GPU: scoring in float32"):
        found = paddle_scores(queries, rows, dtype=dtype)
    np.testing.assert_array_equal(found, paddle_scores(queries, rows, dtype="float32"))


def test_bad_input_is_named():
    rows, _ = make_problem("int8")
    with pytest.raises(InputError, match="dtype must be one of float16, bfloat16, float32, found 'int4'"):
        DeviceRows(rows, "int4")
    with pytest.raises(InputError, match=r"shape \(2, 5\), the index holds vectors of 33 dimensions"):
        paddle_scores([np.zeros((2, 5), np.float32)], rows, dtype="float32")


@pytest.mark.parametrize("stored", ["image", "text"])
def test_rows_that_are_centred(stored):
    random = np.random.default_rng(0)
    vectors, center = random.normal(size=(12, 8)).astype(np.float32) + 3, np.full(8, 3, np.float32)
    offsets, queries = np.array([0, 5, 6, 12]), [random.normal(size=(4, 8)).astype(np.float32)]
    rows = kernel.StoredFragments(*kernel.encode_rows(vectors, "int8", center=center), offsets, "int8", 8, center)
    products = vectors @ queries[0].T
    expected = [
        part.max(0).sum() if stored == "image" else part.max(1).sum() for part in np.split(products, offsets[1:-1])
    ]
    np.testing.assert_allclose(paddle_scores(queries, rows, stored=stored, dtype="float32")[0], expected, rtol=5e-3)
    np.testing.assert_allclose(kernel.scores(queries, rows, stored=stored)[0], expected, rtol=5e-3)
