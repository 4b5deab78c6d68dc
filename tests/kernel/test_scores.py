"""Scores on every path of this machine against float64, by the definition."""

import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import PRECISIONS, StoredFragments, encode_rows, paths, scores

RAGGED, QUERIES = (3, 0, 1, 33, 8, 17, 2), (33, 64, 65, 1, 0, 5)
on_every_path = pytest.mark.parametrize("path", paths())
in_every_precision = pytest.mark.parametrize("precision", PRECISIONS)


def vectors(seed, rows, dim):
    """Of a length of about 1."""
    return (np.random.default_rng(seed).standard_normal((rows, dim)) / dim**0.5).astype(np.float32)


def make_rows(fragments, lengths, precision, center=None):
    values, scales = encode_rows(fragments, precision, center=center)
    return StoredFragments(
        values, scales, np.cumsum([0, *lengths], dtype=np.int64), precision, fragments.shape[1], center
    )


def rounded(fragments, precision):
    """(R, d) float64: what fragments are worth in a precision, from its definition."""
    if precision == "bfloat16":
        fraction, exponent = np.frexp(fragments.astype(np.float64))
        return np.ldexp(np.rint(fraction * 256), exponent - 8)
    if precision == "int8":
        largest = np.abs(fragments).max(1, keepdims=True)
        return np.rint(fragments * (np.float32(127) / largest)).astype(np.float64) * (largest / np.float32(127))
    return fragments.astype(np.float64)


def reference(queries, fragments, lengths, precision, stored):
    """(Q, N) float64 by loops."""
    items = np.split(rounded(fragments, precision), np.cumsum(lengths)[:-1])
    out = np.full((len(queries), len(items)), -np.inf)
    for q, query in enumerate(queries):
        for i, item in enumerate(items):
            products = (rounded(query, precision) if len(query) else query) @ item.T  # (l, rows)
            if stored == "image" and len(item):
                out[q, i] = products.max(1).sum()
            if stored == "text" and len(item) and len(query):
                out[q, i] = products.max(0).sum()
    return out


def close(found, wanted, where=""):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-5, err_msg=where)


@on_every_path
@in_every_precision
def test_by_hand(path, precision):
    rows = make_rows(np.float32([[1, -1], [1, 0], [-1, -1]]), (2, 0, 1), precision)
    queries = [np.eye(2), np.float32([[0, 0]]), np.zeros((0, 2))]
    close(scores(queries, rows, path=path), [[1 + 0, -np.inf, -1 - 1], [0, -np.inf, 0], [0, -np.inf, 0]])
    close(scores(queries, rows, stored="text", path=path), [[1 + 1, -np.inf, -1], [0, -np.inf, 0], [-np.inf] * 3])


@in_every_precision
@pytest.mark.parametrize("dim", [1, 3, 5, 64, 100, 768])
def test_any_dimension_and_any_number_of_fragments(precision, dim):
    queries = [vectors(1 + length, length, dim) for length in QUERIES]
    for lengths in (RAGGED, (1,), (257,), (32, 32, 32)):
        fragments = vectors(0, sum(lengths), dim)
        rows = make_rows(fragments, lengths, precision)
        for stored in ("image", "text"):
            wanted = reference(queries, fragments, lengths, precision, stored)
            for path in paths():
                close(scores(queries, rows, stored=stored, path=path), wanted, path)


@pytest.mark.slow
@on_every_path
@in_every_precision
def test_one_row_and_one_fragment_each(path, precision):
    fragments, queries = vectors(0, 50, 100), [vectors(1 + q, 1, 100) for q in range(40)]
    rows = make_rows(fragments, [1] * 50, precision)
    some = np.array([49, 3, 4, 5, 5, 4, 0])
    for stored in ("image", "text"):
        wanted = reference(queries, fragments, [1] * 50, precision, stored)
        close(scores(queries, rows, stored=stored, path=path), wanted)
        close(scores(queries, rows, some, stored=stored, path=path), wanted[:, some])


@on_every_path
def test_one_row_each_on_average_only(path):
    lengths, fragments, queries = (0, 2, 1, 1), vectors(0, 4, 5), [vectors(1, 1, 5), vectors(2, 1, 5)]
    close(
        scores(queries, make_rows(fragments, lengths, "float32"), path=path),
        reference(queries, fragments, lengths, "float32", "image"),
    )


@on_every_path
@in_every_precision
def test_some_items(path, precision):
    fragments, queries = vectors(0, sum(RAGGED), 20), [vectors(1, 9, 20), vectors(2, 40, 20)]
    rows = make_rows(fragments, RAGGED, precision)
    for items in ([6, 0, 3, 3, 1, 6], [], [5], np.array([2, 4], np.int32)):
        for stored in ("image", "text"):
            wanted = reference(queries, fragments, RAGGED, precision, stored)[:, np.array(items, int)]
            close(
                scores(queries, rows, np.array(items, dtype=getattr(items, "dtype", int)), stored=stored, path=path),
                wanted,
            )


@on_every_path
@in_every_precision
@pytest.mark.parametrize("lengths, length", [(RAGGED, 7), ((1, 1, 1), 1)])
def test_centred_rows(path, precision, lengths, length):
    center, fragments = vectors(8, 1, 20)[0], vectors(0, sum(lengths), 20)
    rows, queries = make_rows(fragments, lengths, precision, center), [vectors(1, length, 20), vectors(2, length, 20)]
    items = np.split(rounded(fragments - center, precision), np.cumsum(lengths)[:-1])
    for stored, axis in (("image", 1), ("text", 0)):
        products = [
            [rounded(query, precision) @ item.T + (query @ center)[:, None] for item in items] for query in queries
        ]
        wanted = [[p.max(axis).sum() if p.size else -np.inf for p in of_query] for of_query in products]
        close(scores(queries, rows, stored=stored, path=path), wanted)


@on_every_path
def test_nothing_to_score(path):
    rows = make_rows(np.zeros((0, 4), np.float32), (), "int8")
    assert scores([np.ones((3, 4)), np.ones((0, 4))], rows, path=path).shape == (2, 0)
    assert scores([], make_rows(vectors(0, 5, 4), (2, 3), "int8"), path=path).shape == (0, 2)


@pytest.mark.parametrize("path", paths()[:-1])
@in_every_precision
def test_threads_change_nothing(path, precision):
    lengths = [8, 5, 0, 12] * 200
    rows, queries = make_rows(vectors(0, sum(lengths), 20), lengths, precision), [vectors(1, 33, 20), vectors(2, 4, 20)]
    each, ones = make_rows(vectors(0, 3000, 20), [1] * 3000, precision), [vectors(q, 1, 20) for q in range(5)]
    for stored in ("image", "text"):
        one, *more = (scores(queries, rows, stored=stored, threads=threads, path=path) for threads in (1, 2, 3, 0))
        assert all(np.array_equal(one, other) for other in more)
    one, *more = (scores(ones, each, threads=threads, path=path) for threads in (1, 2, 3, 0))
    assert all(np.array_equal(one, other) for other in more)


@on_every_path
def test_queries_are_rounded_alike_on_every_path(path):
    """Products so near to half an integer that a fused multiply-add would round them to the other side."""
    query = np.float32(
        [[0.7, 0.6862204670906067, -0.5704724192619324, 0.5098425149917603, -0.6035432815551758, 0.46574804186820984]]
    )
    found = scores([query], make_rows(np.eye(6, dtype=np.float32), [1] * 6, "int8"), path=path)
    assert np.array_equal(np.rint(found / (0.7 / 127)), np.rint(query * (np.float32(127) / query[0, 0])))


@on_every_path
@in_every_precision
def test_rows_of_a_file_at_any_byte(path, precision, tmp_path):
    fragments, query = vectors(0, sum(RAGGED), 5), vectors(1, 9, 5)
    rows = make_rows(fragments, RAGGED, precision)
    file = tmp_path / "rows"
    file.write_bytes(b"x" + rows.values.tobytes())
    mapped = np.memmap(file, rows.values.dtype, "r", offset=1, shape=rows.values.shape)
    assert np.array_equal(scores([query], replace(rows, values=mapped), path=path), scores([query], rows, path=path))


@on_every_path
def test_arrays_need_not_be_contiguous(path):
    fragments, query = vectors(0, 12, 6), vectors(1, 8, 12)
    rows = make_rows(fragments, (3, 9), "int8")
    wide = replace(rows, values=np.repeat(rows.values, 2, 0)[::2], scales=np.repeat(rows.scales, 2)[::2])
    wanted = scores([np.ascontiguousarray(query[::2, ::2])], rows, path=path)
    assert np.array_equal(scores([query.astype(np.float64)[::2, ::2]], wide, path=path), wanted)
    assert np.array_equal(
        scores([np.asfortranarray(query[::2, ::2])], replace(rows, values=np.asfortranarray(rows.values)), path=path),
        wanted,
    )


def test_a_fork_scores():
    rows, query = make_rows(vectors(0, 4000, 20), [4] * 1000, "int8"), vectors(1, 9, 20)
    wanted = scores([query], rows, threads=3)  # the pool has its threads, which a fork does not inherit
    child = multiprocessing.get_context("fork").Process(
        target=lambda: np.testing.assert_array_equal(scores([query], rows, threads=3), wanted)
    )
    child.start()
    child.join(60)
    if child.is_alive():
        child.kill()
    assert child.exitcode == 0


def test_several_threads_score_at_once():
    rows, queries = make_rows(vectors(0, 4000, 20), [4] * 1000, "int8"), [vectors(q, 9, 20) for q in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda query: scores([query], rows, threads=2)[0], queries))
    assert np.array_equal(found, scores(queries, rows, threads=1))


def test_without_the_library(without_library):
    assert paths() == ("numpy",)
    for precision in PRECISIONS:
        fragments, queries = vectors(0, sum(RAGGED), 5), [vectors(1, 9, 5), vectors(2, 0, 5)]
        rows = make_rows(fragments, RAGGED, precision)
        for stored in ("image", "text"):
            close(scores(queries, rows, stored=stored), reference(queries, fragments, RAGGED, precision, stored))


@pytest.mark.parametrize("block", [1, 50, 1000])
def test_numpy_in_blocks(monkeypatch, block):
    # A function of the package has its name.
    monkeypatch.setattr(sys.modules["inflate_shrink.kernel.scores"], "_BLOCK", block)
    fragments, queries = vectors(0, sum(RAGGED), 5), [vectors(1, 9, 5)]
    close(
        scores(queries, make_rows(fragments, RAGGED, "float32"), path="numpy"),
        reference(queries, fragments, RAGGED, "float32", "image"),
    )


@pytest.mark.parametrize(
    "query, changes, options, message",
    [
        ((3, 4), {}, {}, r"a query has the shape \(3, 4\), the index holds vectors of 5 dimensions"),
        ((5,), {}, {}, r"a query has the shape \(5,\)"),
        ((3, 5), {}, {"path": "sse9"}, r"'sse9' is no way to compute here; this machine has .*numpy"),
        ((3, 5), {}, {"threads": -1}, "threads must be 0 .*found -1"),
        ((3, 5), {}, {"chosen": np.array([0, 2])}, "there are 2 items, numbered from 0, found numbers from 0 to 2"),
        ((3, 5), {}, {"chosen": np.array([-1])}, "there are 2 items"),
        (
            (3, 5),
            {"values": np.zeros((4, 5), np.uint8)},
            {},
            r"rows of 5 dimensions in int8 are an array \(.., 8\) of uint8, found \(4, 5\) uint8",
        ),
        ((3, 5), {"values": np.zeros((4, 8), np.float32)}, {}, "of uint8, found .* float32"),
        ((3, 5), {}, {"threads": 2**31}, "threads must be 0 .*up to 1024, found 2147483648"),
        (
            (3, 5),
            {},
            {"chosen": np.array([0.5])},
            r"numbers of items are an array \(..\) of int64, found \(1,\) float64",
        ),
        ((3, 5), {}, {"chosen": np.array([True, False])}, "numbers of items are an array .* bool"),
        ((3, 5), {"precision": "int4"}, {}, "the precision of rows is one of"),
        ((3, 5), {"scales": None}, {}, r"scales of int8 rows are an array \(4\) of float32, found \(\)"),
        ((3, 5), {"scales": np.ones(3)}, {}, r"scales of int8 rows are an array \(4\) of float32, found \(3,\)"),
        ((3, 5), {"center": np.ones(6)}, {}, r"a center's numbers are an array \(5\) of float32"),
        ((3, 5), {"offsets": np.array([])}, {}, "N \\+ 1 numbers, found none"),
        ((3, 5), {"offsets": np.array([[0, 1]])}, {}, "offsets of items are an array"),
        ((3, 5), {"offsets": np.array([0.0, 4.0])}, {}, "offsets of items are an array"),
    ],
)
@on_every_path
def test_bad_input_is_one_line(path, query, changes, options, message):
    rows = replace(make_rows(vectors(0, 4, 5), (1, 3), "int8"), **changes)
    with pytest.raises(InputError, match=message) as error:
        scores([np.zeros(query, np.float32)], rows, **{"path": path, **options})
    assert "\n" not in str(error.value)


LEAST, MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@on_every_path
@in_every_precision
@pytest.mark.parametrize(
    "offsets", [(0, 1, 5), (0, 3, 2), (-1, 1, 4), (0, MOST, LEAST, 4), (0, 10**9), (0, 1, 2, 3, 4, 5)], ids=str
)
def test_offsets_beyond_the_rows_are_no_addresses(path, precision, offsets):
    rows = replace(make_rows(vectors(0, 4, 5), (1, 3), precision), offsets=np.array(offsets))
    for queries in ([vectors(1, 3, 5)], [vectors(1, 1, 5)]):
        for items in (None, np.arange(len(offsets) - 1)):
            for stored in ("image", "text"):
                with pytest.raises(InputError, match="offsets of the items name rows that are not there"):
                    scores(queries, rows, items, stored, path=path)


@on_every_path
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_query_that_is_not_finite(path, number):
    with pytest.raises(InputError, match="a query holds a number that is NaN or infinite"):
        scores([np.array([[0, number]])], make_rows(vectors(0, 3, 2), (1, 2), "int8"), path=path)


@on_every_path
def test_a_center_of_any_type(path):
    center, query = np.arange(5), vectors(1, 2, 5)
    rows = make_rows(vectors(0, 4, 5), (1, 3), "float32", center.astype(np.float32))
    assert np.array_equal(scores([query], replace(rows, center=center), path=path), scores([query], rows, path=path))
