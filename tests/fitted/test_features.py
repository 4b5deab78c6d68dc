"""Features of queries: by hand, and what is refused."""

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.fitted import QueryFeatures

QUERIES = [np.array([[1.0, 0.0], [0.0, 3.0]], np.float32), np.array([[2.0, 4.0]], np.float32)]


def test_a_sum_and_what_stands_beside():
    assert QueryFeatures(2)(QUERIES).tolist() == [[1.0, 3.0], [2.0, 4.0]]
    beside = np.array([[7.0], [8.0]], np.float32)
    assert QueryFeatures(2, beside=1)(QUERIES, beside).tolist() == [[1.0, 3.0, 7.0], [2.0, 4.0, 8.0]]
    projection = np.array([[1.0], [10.0]], np.float32)
    assert QueryFeatures(2, projection=projection)(QUERIES).tolist() == [[31.0], [42.0]]


def test_random_features_are_rectified_for_each_fragment_and_always_the_same():
    features = QueryFeatures(2, random=64, seed=3)
    found = features(QUERIES)[:, 2:]
    # directions are (+-1, +-1) / sqrt(2): each fragment (a, b) gives max(0, +-a +-b) / sqrt(2)
    values = {round(value * np.sqrt(2), 5) for value in found[1].tolist()}
    assert values == {6.0, 2.0, 0.0}
    values = {round(value * np.sqrt(2), 5) for value in found[0].tolist()}
    assert values == {4.0, 3.0, 1.0, 0.0}  # (+-1)+ and (+-3)+ added
    assert found.tolist() == QueryFeatures(2, random=64, seed=3)(QUERIES)[:, 2:].tolist()
    one_at_a_time = np.concatenate([features([query]) for query in QUERIES])
    np.testing.assert_allclose(one_at_a_time[:, 2:], found, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"dim": 0}, "dim"),
        ({"random": 10**9}, "random"),
        ({"beside": -1}, "beside"),
        ({"projection": np.zeros((3, 1), np.float32)}, r"\(2, ..\)"),
        ({"projection": np.full((2, 1), np.nan, np.float32)}, "NaN"),
    ],
)
def test_sizes_are_checked_before_they_are_memory(change, named):
    with pytest.raises(InputError, match=named):
        QueryFeatures(**{"dim": 2, **change})


def test_queries_of_other_shapes_are_refused():
    for queries, beside in (
        ([np.zeros((0, 2), np.float32)], None),
        ([np.zeros((1, 3), np.float32)], None),
        (QUERIES, np.zeros((2, 1), np.float32)),
    ):
        with pytest.raises(InputError):
            QueryFeatures(2)(queries, beside)
