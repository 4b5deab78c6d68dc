"""Spherical k-means: what it converges to, and how many centroids suit a collection."""

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.search.centroids import centroid_count, read_centroids, spherical_kmeans

CENTRES = np.eye(8, dtype=np.float32)[:3]


@pytest.fixture(scope="module")
def vectors():
    """300 vectors of length 1 in three groups far from each other."""
    vectors = np.repeat(CENTRES, 100, 0) + 0.1 * np.random.default_rng(0).standard_normal((300, 8), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [3, 12])
def test_separated_clusters_are_found(vectors, count):
    seed = next(seed for seed in range(100) if spread(spherical_kmeans(vectors, count, seed)) == {0, 1, 2})
    centroids = spherical_kmeans(vectors, count, seed)
    assert centroids.shape == (count, 8) and centroids.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-5)
    products = vectors @ centroids.T
    assert products.max(1).min() > 0.75
    if count == 3:  # a centroid is the direction of the sum of its vectors
        for number in range(3):
            expected = vectors[100 * number : 100 * number + 100].sum(0)
            found = centroids[centroids.argmax(1) == number]
            np.testing.assert_allclose(found, [expected / np.linalg.norm(expected)], atol=1e-5)


def spread(centroids):
    return set(centroids.argmax(1).tolist())


def test_most_starts_find_all_groups(vectors):
    assert sum(spread(spherical_kmeans(vectors, 12, seed)) == {0, 1, 2} for seed in range(10)) >= 8


def test_the_seed_decides(vectors):
    first, again, other = (spherical_kmeans(vectors, 12, seed, threads=1) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_more_centroids_than_vectors():
    vectors = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    for count in (3, 50):
        centroids = spherical_kmeans(vectors, count)
        assert len(centroids) == 3 and {tuple(row) for row in centroids.tolist()} == {(1, 0), (0, 1)}


def test_opposite_vectors_leave_no_nan():
    centroids = spherical_kmeans(np.array([[1, 0], [-1, 0]] * 20, np.float32), 1)
    assert np.isfinite(centroids).all()


@pytest.mark.parametrize(
    "fragments, count",
    [(0, 256), (1000, 256), (4096, 512), (10_000, 1024), (100_000, 2048), (1_048_576, 8192), (10**9, 8192)],
)
def test_count(fragments, count):
    assert centroid_count(fragments) == count


@pytest.mark.parametrize(
    "content, message",
    [
        (np.zeros((3, 5), np.float32), r"holds float32 \(3, 5\), not centroids of fragments of 4 dimensions"),
        (np.zeros((0, 4), np.float32), "holds float32 .*, not centroids"),
        (np.zeros((65537, 4), np.float32), "holds float32 .*, not centroids"),
        (np.zeros(4, np.float32), "holds float32 .*, not centroids"),
        (np.zeros((3, 4)), "holds float64 .*, not centroids"),
        (np.full((3, 4), np.nan, np.float32), "holds a number that is NaN or infinite"),
        (np.array([[{}] * 4]), "holds object .*, not centroids"),
    ],
    ids=range(7),
)
def test_a_file_of_no_centroids(tmp_path, content, message):
    np.save(tmp_path / "centroids.npy", content, allow_pickle=True)
    with pytest.raises(InputError, match=message):
        read_centroids(tmp_path / "centroids.npy", 4)


def test_a_file_that_promises_more_than_it_has(tmp_path):
    np.save(tmp_path / "centroids.npy", np.ones((3, 4), np.float32))
    assert np.array_equal(read_centroids(tmp_path / "centroids.npy", 4), np.ones((3, 4)))
    data = (tmp_path / "centroids.npy").read_bytes()
    for damaged in (
        data[:-1],
        data.replace(b"(3, 4)", b"(9, 4)"),
        data[:50],
        b"",
        data.replace(b"'descr'", b"'des"),
        data.replace(b"(3, 4)", b"(3, ''"),
    ):
        (tmp_path / "centroids.npy").write_bytes(damaged)
        with pytest.raises(InputError, match="centroids.npy: "):
            read_centroids(tmp_path / "centroids.npy", 4)
