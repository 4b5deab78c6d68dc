"""The best of many scores."""

import numpy as np
import pytest

from inflate_shrink.search.ranking import best


@pytest.mark.parametrize("k, expected", [(1, [2]), (2, [2, 0]), (3, [2, 0, 3]), (4, [2, 0, 3, 1]), (9, [2, 0, 3, 1])])
def test_best(k, expected):
    assert best(np.array([1, 0, 2, 1], np.float32), k).tolist() == expected


def test_best_is_a_stable_sort():
    scores = np.random.default_rng(0).integers(0, 5, 200).astype(np.float32)
    for k in (1, 17, 100, 200):
        assert best(scores, k).tolist() == np.argsort(-scores, kind="stable")[:k].tolist()
