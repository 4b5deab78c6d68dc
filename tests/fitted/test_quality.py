"""Correlation, candidates and ceiling of approximate scores, by hand."""

import numpy as np
import pytest

from inflate_shrink.fitted import ceiling, correlation, share_of_best


def test_correlation_is_the_mean_over_queries():
    exact = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    found = np.array([[10.0, 20.0, 30.0], [3.0, 2.0, 1.0]])
    assert correlation(found, exact) == pytest.approx(0.0)
    assert correlation(found[:1], exact[:1]) == pytest.approx(1.0)


def test_share_of_best_among_candidates():
    exact = np.array([[9.0, 8.0, 7.0, 6.0], [6.0, 7.0, 8.0, 9.0]])
    found = np.array([[9.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]])
    # the exact two are items 0, 1 and 3, 2; found first are 0, 3, 2, 1 and 3, 2, 1, 0
    assert share_of_best(found, exact, [1, 2, 3, 4], best=2) == [0.5, 0.75, 0.75, 1.0]


def test_the_ceiling_of_full_rank_is_the_matrix():
    exact = np.random.default_rng(0).normal(size=(4, 6))
    one, all_ = ceiling(exact, [1, 4])
    np.testing.assert_allclose(all_, exact, atol=1e-9)
    assert np.linalg.matrix_rank(one) == 1
