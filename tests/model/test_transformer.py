"""The parts of the Transformer that replace Paddle's own on the CPU."""

import numpy as np
import paddle

from inflate_shrink.model.transformer import Dropout

ONES = paddle.ones([50, 401])  # not a multiple of the four numbers that are drawn at a time


def test_dropout_keeps_its_share_and_the_mean():
    paddle.seed(0)
    kept = Dropout(0.25)(ONES).numpy()
    assert set(np.unique(kept)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((kept > 0).mean() - 0.75) < 0.02


def test_dropout_is_drawn_anew_and_again_from_the_same_seed():
    def draw():
        paddle.seed(3)
        return [Dropout(0.5)(ONES).numpy() for _ in range(2)]

    (first, second), again = draw(), draw()
    assert (first == again[0]).all() and (second == again[1]).all() and (first != second).any()


def test_dropout_passes_the_gradient_of_what_it_kept():
    x = ONES.clone()
    x.stop_gradient = False
    y = Dropout(0.5)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())


def test_dropout_changes_nothing_in_evaluation_or_at_probability_0():
    layer = Dropout(0.5)
    layer.eval()
    for each in (layer, Dropout(0.0)):
        np.testing.assert_array_equal(each(ONES).numpy(), ONES.numpy())
