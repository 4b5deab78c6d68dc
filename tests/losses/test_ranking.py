"""Ranking losses against values computed by hand (2 x 2) and in numpy."""

import numpy as np
import paddle
import pytest

from inflate_shrink.config import LossConfig
from inflate_shrink.losses.ranking import (
    contrastive,
    hardest_negative,
    landmarks,
    ranking_loss,
    smooth_maximum,
    sum_of_hinges,
)

S = paddle.to_tensor([[1.0, 0.8], [0.9, 1.2]])


def test_sum_of_hinges():
    # rows: .6-1+.8=.4 and .6-1.2+.9=.3; columns: .6-1+.9=.5 and .6-1.2+.8=.2
    assert float(sum_of_hinges(S, 0.6)) == pytest.approx(1.4)


def test_hardest_negative_takes_one_of_many():
    scores = paddle.to_tensor([[1.0, 0.9, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert float(hardest_negative(S, 0.6)) == pytest.approx(1.4)
    assert float(hardest_negative(scores, 0.2)) == pytest.approx(0.1 + 0.1)
    assert float(sum_of_hinges(scores, 0.6)) == pytest.approx(0.5 + 0.1 + 0.5 + 0.1)
    assert float(hardest_negative(scores, 0.6)) == pytest.approx(0.5 + 0.5 + 0.1)


def test_smooth_maximum():
    assert float(smooth_maximum(S, 0.6)) == pytest.approx(2.41924, abs=1e-5)
    assert float(smooth_maximum(S, 0.6, include_diagonal=False)) == pytest.approx(1.45028, abs=1e-5)
    assert float(smooth_maximum(S, 0.2)) == pytest.approx(0.97599, abs=1e-5)


def test_contrastive():
    # differences in a row 0.2, 0.3, in a column 0.1, 0.4: each adds log(1 + exp(-scale * difference)) / 2
    expected = sum(np.log1p(np.exp(-10 * difference)) / 2 for difference in (0.2, 0.3, 0.1, 0.4))
    assert float(contrastive(S, 10.0)) == pytest.approx(expected, abs=1e-6)
    assert landmarks(LossConfig(ranking="contrastive", scale=5.0), 64) == pytest.approx((0, 64 * np.log(64)), abs=1e-4)


@pytest.mark.parametrize("margin, separated, collapsed", [(0.6, 153.611, 281.704), (0.2, 62.462, 94.255)])
def test_landmarks_of_the_released_loss(margin, separated, collapsed):
    assert landmarks(LossConfig(margin=margin), 128) == pytest.approx((separated, collapsed), rel=1e-5)


def test_smooth_maximum_has_a_finite_gradient_at_separation():
    scores = paddle.eye(4) * 10
    scores.stop_gradient = False
    smooth_maximum(scores, 0.6, include_diagonal=False).backward()
    assert np.isfinite(scores.grad.numpy()).all()


@pytest.mark.parametrize("ranking", ["sum", "hardest", "smooth_max", "contrastive"])
def test_same_image_pairs_are_negatives_unless_masked(ranking):
    scores = paddle.to_tensor([[1.0, 5.0, 0.0], [5.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    same_image = paddle.to_tensor([[True, True, False], [True, True, False], [False, False, True]])
    off, on = (
        ranking_loss(LossConfig(ranking=ranking, margin=0.2, include_diagonal=False, mask_same_image=mask))
        for mask in (False, True)
    )
    assert float(off(scores, same_image)) > 4 * 4.1  # four violations of 4.2
    assert float(on(scores, same_image)) == pytest.approx(float(on(paddle.eye(3), same_image)))
