"""Numbers of the nearest centroids, and scores by them, against float64, by the definition."""

from dataclasses import replace

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import (
    as_items,
    centroid_scores,
    centroid_table,
    decode_rows,
    encode_rows,
    nearest,
    nearest_centroids,
    paths,
)

LENGTHS = (3, 0, 1, 33, 8, 0)
OFFSETS = np.cumsum([0, *LENGTHS])


def unit(seed, rows, dim):
    vectors = np.random.default_rng(seed).standard_normal((rows, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


CENTROIDS = unit(0, 300, 20)
NEAREST = np.random.default_rng(1).integers(0, 300, OFFSETS[-1]).astype(np.uint16)


def reference(query, precision):
    """Scores (N,) and the size of a table's step."""
    worth = [
        decode_rows(*encode_rows(vectors, precision), precision, 20).astype(np.float64)
        for vectors in (query, CENTROIDS)
    ]
    products = worth[0] @ worth[1].T  # (l, C)
    lowest = products.min(1, initial=np.inf)
    sums = [
        np.maximum(products[:, NEAREST[a:b]].max(1, initial=-np.inf), lowest).sum()
        for a, b in zip(OFFSETS, OFFSETS[1:])
    ]
    return np.array(sums), (products - lowest[:, None]).max(initial=0) / 255


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("length", [0, 1, 32, 33])
def test_scores_are_those_of_the_centroids_to_half_a_step(path, precision, length):
    query = unit(2, length, 20)
    wanted, step = reference(query, precision)
    table = centroid_table(query, as_items(CENTROIDS, precision), path=path)
    found = centroid_scores(table, NEAREST, OFFSETS, path=path)
    assert found.dtype == np.float32 and np.abs(found - wanted).max() <= length * step / 2 + 1e-4
    some = np.array([5, 3, 3, 0])
    assert np.array_equal(centroid_scores(table, NEAREST, OFFSETS, some, path=path), found[some])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_paths_and_threads_give_the_same(threads):
    table = centroid_table(unit(2, 33, 20), as_items(CENTROIDS))
    wanted = centroid_scores(table, np.tile(NEAREST, 400), np.arange(0, 400 * len(NEAREST) + 1, 9), path="numpy")
    for path in paths():
        assert np.array_equal(
            centroid_scores(
                table, np.tile(NEAREST, 400), np.arange(0, 400 * len(NEAREST) + 1, 9), threads=threads, path=path
            ),
            wanted,
        )


def test_a_code_of_no_centroid_reads_nothing_strange():
    damaged = NEAREST.copy()
    damaged[4:] = 65535
    for path in paths():
        table = centroid_table(unit(2, 5, 20), as_items(CENTROIDS), path=path)
        assert np.isclose(centroid_scores(table, damaged, OFFSETS, path=path)[3], table.offset)


@pytest.mark.parametrize("path", paths())
def test_equal_products(path):
    table = centroid_table(np.zeros((4, 20), np.float32), as_items(CENTROIDS), path=path)
    assert np.array_equal(centroid_scores(table, NEAREST, OFFSETS, path=path), np.zeros(6))


def test_codes_are_the_centroids_with_the_highest_product(monkeypatch):
    monkeypatch.setattr(nearest, "_PRODUCTS", 1)  # more than one part
    vectors = unit(3, 150, 20)
    found = nearest_centroids(vectors, CENTROIDS)
    products = (
        decode_rows(*encode_rows(vectors, "bfloat16"), "bfloat16", 20)
        @ decode_rows(*encode_rows(CENTROIDS, "bfloat16"), "bfloat16", 20).T
    )
    assert found.dtype == np.uint16 and (products[np.arange(150), found] >= products.max(1) - 1e-6).all()
    assert np.array_equal(nearest_centroids(CENTROIDS, CENTROIDS), np.arange(300))
    assert nearest_centroids(CENTROIDS[:0], CENTROIDS).shape == (0,)


def test_without_the_library(without_library):
    query = unit(2, 7, 20)
    wanted, step = reference(query, "int8")
    assert (
        np.abs(centroid_scores(centroid_table(query, as_items(CENTROIDS)), NEAREST, OFFSETS) - wanted).max()
        <= 7 * step / 2 + 1e-4
    )
    assert np.array_equal(nearest_centroids(CENTROIDS[:50], CENTROIDS), np.arange(50))


@pytest.mark.parametrize("path", paths())
def test_damaged_centroids_codes_and_offsets(path):
    query, rows = unit(2, 7, 20), as_items(CENTROIDS)
    shifted, fewer, centred = np.arange(1, 302), np.arange(302), np.zeros(20, np.float32)
    for changes in ({"offsets": shifted}, {"offsets": fewer}, {"offsets": np.arange(300)}, {"center": centred}):
        with pytest.raises(InputError, match="centroids are items of one row each, without a center"):
            centroid_table(query, replace(rows, **changes), path=path)
    with pytest.raises(InputError, match="there must be 1 to 65536 centroids, found 0"):
        centroid_table(query, as_items(CENTROIDS[:0]), path=path)
    with pytest.raises(InputError, match="there must be 1 to 65536 centroids, found 65537"):
        centroid_table(query[:, :1], as_items(np.zeros((65537, 1))), path=path)
    with pytest.raises(InputError, match="NaN or infinite"):
        centroid_table(query * np.nan, rows, path=path)
    table = centroid_table(query, rows, path=path)
    for offsets in ([0, 46], [0, 3, 1], [-1, 4], [0, 10**9], [0, np.iinfo(np.int64).max, np.iinfo(np.int64).min, 45]):
        for items in (None, [0, len(offsets) - 2]):
            with pytest.raises(InputError, match="offsets of the items name rows that are not there"):
                centroid_scores(table, NEAREST, np.array(offsets), items, path=path)
    with pytest.raises(InputError, match="numbers of centroids are an array .* of uint16, found int64"):
        centroid_scores(table, NEAREST.astype(np.int64), OFFSETS, path=path)
    for products in (table.table[:9], table.table[:, :5], table.table.astype(np.int64), np.asfortranarray(table.table)):
        with pytest.raises(InputError, match="is one of centroid_table"):
            centroid_scores(table._replace(table=products), NEAREST, OFFSETS, path=path)


def test_bad_input():
    with pytest.raises(InputError, match="there must be 1 to 65536 centroids, found 0"):
        nearest_centroids(CENTROIDS, CENTROIDS[:0])
    with pytest.raises(InputError, match=r"vectors are an array \(.., 20\)"):
        nearest_centroids(CENTROIDS[:, :5], CENTROIDS)
    with pytest.raises(InputError, match="the index holds vectors of 20 dimensions"):
        centroid_table(unit(2, 7, 19), as_items(CENTROIDS))
    with pytest.raises(InputError, match="there are 6 items, numbered from 0, found numbers from 6 to 6"):
        centroid_scores(centroid_table(unit(2, 7, 20), as_items(CENTROIDS)), NEAREST, OFFSETS, np.array([6]))
