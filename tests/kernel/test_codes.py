"""Centroid codes against float64, by the definition."""

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import as_items, code_scores, code_table, codes, decode_rows, encode_codes, encode_rows, paths

LENGTHS = (3, 0, 1, 33, 8, 0)
OFFSETS = np.cumsum([0, *LENGTHS])


def unit(seed, rows, dim):
    vectors = np.random.default_rng(seed).standard_normal((rows, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


CENTROIDS = unit(0, 300, 20)
CODES = np.random.default_rng(1).integers(0, 300, OFFSETS[-1]).astype(np.uint16)


def reference(query, precision):
    """Scores (N,) and the size of a table's step."""
    worth = [decode_rows(*encode_rows(vectors, precision), precision, 20).astype(np.float64) for vectors in (query, CENTROIDS)]
    products = worth[0] @ worth[1].T  # (l, C)
    lowest = products.min(1, initial=np.inf)
    sums = [np.maximum(products[:, CODES[a:b]].max(1, initial=-np.inf), lowest).sum() for a, b in zip(OFFSETS, OFFSETS[1:])]
    return np.array(sums), (products - lowest[:, None]).max(initial=0) / 255


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("length", [0, 1, 32, 33])
def test_scores_are_those_of_the_centroids_to_half_a_step(path, precision, length):
    query = unit(2, length, 20)
    wanted, step = reference(query, precision)
    table = code_table(query, as_items(CENTROIDS, precision), path=path)
    found = code_scores(table, CODES, OFFSETS, path=path)
    assert found.dtype == np.float32 and np.abs(found - wanted).max() <= length * step / 2 + 1e-4
    some = np.array([5, 3, 3, 0])
    assert np.array_equal(code_scores(table, CODES, OFFSETS, some, path=path), found[some])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_paths_and_threads_give_the_same(threads):
    table = code_table(unit(2, 33, 20), as_items(CENTROIDS))
    wanted = code_scores(table, np.tile(CODES, 400), np.arange(0, 400 * len(CODES) + 1, 9), path="numpy")
    for path in paths():
        assert np.array_equal(code_scores(table, np.tile(CODES, 400), np.arange(0, 400 * len(CODES) + 1, 9), threads=threads, path=path), wanted)


def test_a_code_of_no_centroid_reads_nothing_strange():
    damaged = CODES.copy()
    damaged[4:] = 65535
    for path in paths():
        table = code_table(unit(2, 5, 20), as_items(CENTROIDS), path=path)
        assert np.isclose(code_scores(table, damaged, OFFSETS, path=path)[3], table.offset)


@pytest.mark.parametrize("path", paths())
def test_equal_products(path):
    table = code_table(np.zeros((4, 20), np.float32), as_items(CENTROIDS), path=path)
    assert np.array_equal(code_scores(table, CODES, OFFSETS, path=path), np.zeros(6))


def test_codes_are_the_centroids_with_the_highest_product(monkeypatch):
    monkeypatch.setattr(codes, "_PRODUCTS", 1)  # more than one part
    vectors = unit(3, 150, 20)
    found = encode_codes(vectors, CENTROIDS)
    products = decode_rows(*encode_rows(vectors, "bfloat16"), "bfloat16", 20) @ decode_rows(*encode_rows(CENTROIDS, "bfloat16"), "bfloat16", 20).T
    assert found.dtype == np.uint16 and (products[np.arange(150), found] >= products.max(1) - 1e-6).all()
    assert np.array_equal(encode_codes(CENTROIDS, CENTROIDS), np.arange(300))
    assert encode_codes(CENTROIDS[:0], CENTROIDS).shape == (0,)


def test_without_the_library(without_library):
    query = unit(2, 7, 20)
    wanted, step = reference(query, "int8")
    assert np.abs(code_scores(code_table(query, as_items(CENTROIDS)), CODES, OFFSETS) - wanted).max() <= 7 * step / 2 + 1e-4
    assert np.array_equal(encode_codes(CENTROIDS[:50], CENTROIDS), np.arange(50))


def test_bad_input():
    with pytest.raises(InputError, match="the index holds vectors of 20 dimensions"):
        code_table(unit(2, 7, 19), as_items(CENTROIDS))
    with pytest.raises(InputError, match="there are 6 items, numbered from 0, found numbers from 6 to 6"):
        code_scores(code_table(unit(2, 7, 20), as_items(CENTROIDS)), CODES, OFFSETS, np.array([6]))
