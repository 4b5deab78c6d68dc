import numpy as np
import pytest

from inflate_shrink.data import clustering
from inflate_shrink.data.clustering import cluster_regions
from inflate_shrink.errors import InputError


def boxes_for(features):
    """A box that tells its region: all four numbers are the region's index."""
    return np.repeat(np.arange(len(features), dtype=np.float32)[:, None], 4, 1)


def cluster(features, k):
    features = np.array(features, np.float32)
    return cluster_regions(features, boxes_for(features), k)


def clumpy(seed, n=100, dimension=64, clumps=35):
    rng = np.random.default_rng(seed)
    middles = np.maximum(rng.normal(size=(clumps, dimension)), 0)
    return (middles[rng.integers(clumps, size=n)] + 0.3 * rng.normal(size=(n, dimension))).astype(np.float32)


def naive_lloyd(points, labels, k):
    """Lloyd's algorithm in float64, straight from the definition; returns the objective."""
    points = points.astype(np.float64)
    for _ in range(clustering.MAX_ITERATIONS):
        centres = np.stack([points[labels == c].mean(0) for c in range(k)])
        distance = ((points[:, None] - centres) ** 2).sum(-1)
        if np.array_equal(distance.argmin(1), labels):
            break
        labels = distance.argmin(1)
    return distance.min(1).sum()


def test_by_hand():
    # three at 0, 1, 2 and two at 10, 12: means 1 and 11, the larger first
    centres, boxes = cluster([[10], [0], [12], [1], [2]], 2)
    assert centres.tolist() == [[1], [11]]
    assert boxes[:, 0].tolist() == [3, 0]  # region 3 lies on its mean; 0 and 2 tie, the smaller index wins


def test_initialisation_by_hand():
    # The mean is 9.2, so 7 is the first seed; 13 leaves the least squared distance, 111, and then 1 does, 51, as would 2 after it.
    points = np.array([[13], [12], [1], [7], [2], [20]], np.float32)
    members = clustering._initial_members(clustering._gram(points), 3)
    assert [np.flatnonzero(cluster).tolist() for cluster in members] == [[3], [0, 1, 5], [2, 4]]
    # Nothing moves then. Every other first seed, and the farthest points after the right one, end elsewhere.
    centres, boxes = cluster(points, 3)
    assert centres.tolist() == [[15], [1.5], [7]]
    assert boxes[:, 0].tolist() == [0, 2, 3]


def test_equal_clusters_in_order_of_their_first_member():
    centres, _ = cluster([[50], [0], [51], [1], [100], [101]], 3)
    assert centres.tolist() == [[50.5], [0.5], [100.5]]


def test_float32_in_and_out():
    centres, boxes = cluster(clumpy(0), 32)
    assert centres.dtype == boxes.dtype == np.float32
    assert centres.shape == (32, 64) and boxes.shape == (32, 4)


@pytest.mark.parametrize("n", [1, 3, 4])
def test_few_regions_are_kept_as_they_are(n):
    features = clumpy(1)[:n]
    centres, boxes = cluster(features, 4)
    np.testing.assert_array_equal(centres, features)
    np.testing.assert_array_equal(boxes, boxes_for(features))


@pytest.mark.parametrize("seed", range(5))
def test_objective_of_a_naive_float64_lloyd(seed):
    features = clumpy(seed)
    initial = clustering._initial_members(clustering._gram(features - features.mean(0)), 32)
    expected = naive_lloyd(features, initial.argmax(0), 32)
    centres, _ = cluster(features, 32)
    found = ((features[:, None].astype(np.float64) - centres) ** 2).sum(-1).min(1).sum()
    assert len(centres) == 32
    assert found == pytest.approx(expected, rel=1e-5)


def test_largest_clusters_first():
    features = clumpy(3)
    centres, _ = cluster(features, 32)
    labels = ((features[:, None] - centres) ** 2).sum(-1).argmin(1)
    sizes = np.bincount(labels, minlength=32)
    assert (np.diff(sizes) <= 0).all() and sizes.min() > 0


def test_deterministic():
    features = clumpy(4)
    first, second = cluster(features, 32), cluster(features.copy(), 32)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_order_of_the_regions_changes_only_the_order_of_equal_clusters():
    features = clumpy(5)
    shuffled = features[np.random.default_rng(0).permutation(len(features))]
    a, b = cluster(features, 32)[0], cluster(shuffled, 32)[0]
    np.testing.assert_allclose(a[np.lexsort(a.T)], b[np.lexsort(b.T)], atol=1e-5)


def test_independent_of_the_global_random_state():
    features = clumpy(6)
    np.random.seed(1)
    first = cluster(features, 32)[0]
    np.random.seed(2)
    np.testing.assert_array_equal(first, cluster(features, 32)[0])


def test_one_cluster_is_the_mean():
    features = clumpy(7)
    np.testing.assert_allclose(cluster(features, 1)[0][0], features.mean(0), atol=1e-6)


def test_fewer_distinct_regions_than_clusters():
    centres, boxes = cluster([[1, 1]] * 3 + [[5, 5]] * 4 + [[9, 9]] * 2, 4)
    assert centres.tolist() == [[5, 5], [1, 1], [9, 9]]
    assert boxes[:, 0].tolist() == [3, 0, 7]


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_equal_regions_of_many_dimensions(scale):
    rng = np.random.default_rng(8)
    distinct = (scale * np.maximum(rng.normal(size=(5, 2048)), 0)).astype(np.float32)
    features = distinct[rng.permutation(100) % 5]
    centres, _ = cluster(features, 32)
    assert len(centres) == 5
    np.testing.assert_allclose(centres[np.lexsort(centres.T)], distinct[np.lexsort(distinct.T)], rtol=1e-5)


def test_all_regions_equal():
    assert cluster([[2, 3]] * 40, 32)[0].tolist() == [[2, 3]]


def test_empty_cluster_gets_the_farthest_region():
    distance = np.array([[0.0, 1.0, 9.0], [1.0, 4.0, 16.0]])
    members = clustering._refill(np.array([[True, True, True], [False, False, False]]), distance)
    assert members.tolist() == [[True, True, False], [False, False, True]]


def test_refilling_leaves_no_other_cluster_empty():
    # the farthest region, 2, is alone in its cluster, so region 1 moves
    distance = np.array([[1.0, 2.0, 9.0], [9.0, 9.0, 5.0], [9.0, 9.0, 9.0]])
    members = np.array([[True, True, False], [False, False, True], [False, False, False]])
    assert clustering._refill(members, distance).argmax(0).tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    "features, boxes, message",
    [
        (np.zeros((0, 4)), np.zeros((0, 4)), "at least one region"),
        (np.zeros(4), np.zeros((1, 4)), "at least one region"),
        (np.zeros((2049, 1)), np.zeros((2049, 4)), "2049 regions, more than the limit of 2048 an image"),
        (np.ones((3, 4)), np.zeros((2, 4)), r"boxes of shape \(3, 4\)"),
        (np.array([[1.0], [np.nan], [1.0]]), np.zeros((3, 4)), "region 1"),
    ],
)
def test_bad_input(features, boxes, message):
    with pytest.raises(InputError, match=message):
        cluster_regions(features, boxes)
