"""Fitted vectors: ridge regression by hand, the cut to a rank, new items, and what is refused."""

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.fitted import Fit, FitSettings, QueryFeatures, exact_scores, fit, fit_items
from inflate_shrink.kernel import StoredFragments, encode_rows

PLAIN = FitSettings(rank=8, random=0, ridge=0)
QUERIES = [np.array([row], np.float32) for row in ([1.0, 0.0], [0.0, 1.0])]
EXACT = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 5.0]], np.float32)  # 2 queries, 3 items


def products(fitted, queries, vectors):
    return fitted.features(queries) @ vectors.T


def centred(exact):
    return exact - exact.mean(1, keepdims=True)


def test_linear_scores_are_found_exactly_of_new_queries_and_new_items():
    fitted = fit(QUERIES, EXACT, PLAIN)
    np.testing.assert_allclose(products(fitted, QUERIES, fitted.vectors(EXACT)), centred(EXACT), atol=1e-5)
    # a new item has the scores -2 and 4, the means of the sample's are 4 / 3 and 7 / 3;
    # a new query is three times the first and the second
    new_item, new_query = np.array([[-2.0], [4.0]]), [np.array([[3.0, 0.0], [0.0, 1.0]], np.float32)]
    assert products(fitted, new_query, fitted.vectors(new_item)).item() == pytest.approx(
        3.0 * (-2 - 4 / 3) + 1.0 * (4 - 7 / 3), abs=1e-5
    )


def test_ridge_is_in_units_of_the_mean_variance():
    # Z is the identity: (1 + ridge) w = y
    fitted = fit(QUERIES, EXACT, FitSettings(rank=8, random=0, ridge=0.25))
    np.testing.assert_allclose(products(fitted, QUERIES, fitted.vectors(EXACT)), centred(EXACT) / 1.25, atol=1e-5)


def test_the_cut_keeps_what_explains_most():
    # two independent directions: the first query tells more of the items than the second
    exact = np.array([[2.0, -2.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]], np.float32)
    fitted = fit(QUERIES, exact, FitSettings(rank=1, random=0, ridge=0))
    assert fitted.rank == 1
    np.testing.assert_allclose(
        products(fitted, QUERIES, fitted.vectors(exact)), [[2, -2, 0, 0], [0, 0, 0, 0]], atol=1e-5
    )


def test_what_stands_beside_is_learned_from():
    # both queries have the same fragment: only the vector beside tells them apart
    queries, beside = [QUERIES[0], QUERIES[0]], np.array([[0.0], [1.0]], np.float32)
    fitted = fit(queries, EXACT, PLAIN, beside)
    found = fitted.features(queries, beside) @ fitted.vectors(EXACT).T
    np.testing.assert_allclose(found, centred(EXACT), atol=1e-5)


def test_both_sides_have_one_mean_length():
    random = np.random.default_rng(0)
    queries, exact = list(random.normal(size=(50, 1, 4)).astype(np.float32)), random.normal(size=(50, 30))
    fitted = fit(queries, exact.astype(np.float32), PLAIN)
    lengths = [(side**2).sum(1).mean() for side in (fitted.features(queries), fitted.vectors(exact))]
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-3)


@pytest.mark.parametrize("stored", ["image", "text"])
def test_items_are_scored_in_blocks_by_the_kernel(monkeypatch, stored):
    monkeypatch.setattr("inflate_shrink.fitted.regression._BLOCK", 2 * len(QUERIES))
    # three items of one fragment each score linearly
    fragments = np.array([[3.0, 0.0], [1.0, 2.0], [0.0, 5.0]], np.float32)
    rows = StoredFragments(*encode_rows(fragments, "float32"), np.arange(4), "float32", 2)
    exact, done = exact_scores(QUERIES, rows, stored, threads=1), []
    assert exact(np.array([2, 0])).tolist() == EXACT[:, [2, 0]].tolist()
    fitted = fit(QUERIES, exact(np.arange(3)), PLAIN)
    vectors = fit_items(fitted, exact, 3, done.append)
    np.testing.assert_allclose(products(fitted, QUERIES, vectors), centred(EXACT), atol=1e-5)
    assert done == [2, 3]


def test_what_does_not_fit_is_refused():
    fitted = fit(QUERIES, EXACT, PLAIN)
    for exact in (EXACT[:1], EXACT[:, :0], np.where(EXACT > 4, -np.inf, EXACT)):
        with pytest.raises(InputError):
            fit(QUERIES, exact, PLAIN)
    with pytest.raises(InputError, match="2 queries of the sample"):
        fitted.vectors(EXACT[:1])
    for settings in ({"rank": 0}, {"ridge": -1.0}, {"ridge": float("nan")}):
        with pytest.raises(InputError, match="rank"):
            FitSettings(**settings)


def test_a_stored_fit_is_checked():
    features = QueryFeatures(2, projection=np.eye(2, dtype=np.float32))
    solver, center = np.zeros((5, 2), np.float32), np.zeros(2, np.float32)
    Fit(features, solver, center)
    for bad in (np.zeros((5, 2)), np.zeros((5, 3), np.float32), np.full((5, 2), np.nan, np.float32)):
        with pytest.raises(InputError, match="solver"):
            Fit(features, bad, center)
        with pytest.raises(InputError, match="center"):
            Fit(features, solver, bad[0])
