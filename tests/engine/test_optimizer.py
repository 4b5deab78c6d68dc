"""The learning rate of a step, and one AdamW update, by hand."""

import numpy as np
import paddle
import pytest

from inflate_shrink.config import OptimConfig
from inflate_shrink.engine.optimizer import build_optimizer, learning_rate


def rates(config, steps, updates_per_epoch):
    return [learning_rate(config, step, updates_per_epoch) for step in steps]


def test_warmup_reaches_the_rate_with_its_last_step():
    config = OptimConfig(lr=8.0, warmup_steps=4, schedule="constant")
    assert rates(config, range(6), 10) == [2, 4, 6, 8, 8, 8]


def test_step_decays_at_the_first_step_of_an_epoch():
    config = OptimConfig(lr=1.0, schedule="step", decay_epochs=[2, 3], decay_factor=0.1)
    assert rates(config, [0, 19, 20, 29, 30, 99], 10) == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_falls_over_what_warmup_leaves():
    config = OptimConfig(lr=2.0, epochs=3, warmup_steps=2, schedule="cosine")  # 2 + 4 steps
    expected = [1, 2, 2, 2 * 0.5 * (1 + 0.5**0.5), 1, 2 * 0.5 * (1 - 0.5**0.5)]
    assert rates(config, range(6), 2) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
def test_warmup_longer_than_the_run(schedule):
    config = OptimConfig(lr=10.0, epochs=1, warmup_steps=10, schedule=schedule)
    assert rates(config, range(3), 3) == pytest.approx([1, 2, 3])


def test_update_is_adamw_with_decay_on_every_parameter():
    layer = paddle.nn.LayerNorm(2)  # its parameters too
    layer.weight.set_value(paddle.to_tensor([2.0, -4.0]))
    optimizer = build_optimizer(OptimConfig(lr=0.5, weight_decay=0.1, clip=0), layer.parameters())
    optimizer.set_lr(0.01)
    (layer.weight * paddle.to_tensor([3.0, -5.0])).sum().backward()
    optimizer.step()
    # decay by 1 - 0.01 * 0.1, then the first Adam step: the rate times the gradient's sign
    np.testing.assert_allclose(layer.weight.numpy(), [2 * 0.999 - 0.01, -4 * 0.999 + 0.01], rtol=1e-5)


@pytest.mark.parametrize("clip, expected", [(1.0, [0.6, 0.8]), (100.0, [3.0, 4.0]), (0, [3.0, 4.0])])
def test_clip_bounds_the_global_norm(clip, expected):
    parameters = [paddle.create_parameter([1], "float32") for _ in range(2)]
    optimizer = build_optimizer(OptimConfig(clip=clip), parameters)
    (3 * parameters[0] + 4 * parameters[1]).sum().backward()
    optimizer.step()
    moments = [
        optimizer.state_dict()[name]
        for p in parameters
        for name in optimizer.state_dict()
        if name.startswith(f"{p.name}_moment1")
    ]
    # After one step, 1 - beta1 of the gradient.
    np.testing.assert_allclose([m.item() / 0.1 for m in moments], expected, rtol=1e-5)


@pytest.mark.parametrize("clip", [0.5, 0])
def test_updates_are_those_of_paddle_and_so_is_the_state(clip):
    def run(make):
        paddle.seed(0)
        with paddle.utils.unique_name.guard():
            layers = paddle.nn.Linear(30, 40), paddle.nn.Linear(40, 3)
            parameters = [each for layer in layers for each in layer.parameters()]
            optimizer = make(parameters)
            for step in range(5):
                optimizer.set_lr(0.1 / (step + 1))
                x = paddle.randn([8, 30])
                (layers[1](layers[0](x)) ** 2).sum().backward()
                optimizer.step()
                optimizer.clear_grad()
        state = {name: value for name, value in optimizer.state_dict().items() if hasattr(value, "numpy")}
        return [*parameters, *(state[name] for name in sorted(state))], sorted(state)

    def paddles(parameters):
        bound = paddle.nn.ClipGradByGlobalNorm(clip) if clip else None
        return paddle.optimizer.AdamW(0.1, parameters=parameters, weight_decay=0.1, grad_clip=bound)

    (ours, names), (expected, others) = (
        run(lambda p: build_optimizer(OptimConfig(weight_decay=0.1, clip=clip), p)),
        run(paddles),
    )
    assert names == others and len(names) == 16
    for found, value in zip(ours, expected):
        np.testing.assert_allclose(found.numpy(), value.numpy(), rtol=1e-4, atol=1e-6)


def test_a_gradient_that_is_not_finite_is_not_clipped_away():
    parameter = paddle.create_parameter([2], "float32")
    optimizer = build_optimizer(OptimConfig(clip=1.0), [parameter])
    (parameter * paddle.to_tensor([float("nan"), 1.0])).sum().backward()
    optimizer.step()
    assert np.isnan(parameter.numpy()).all()


def test_what_an_update_does_not_use_stays(tmp_path):
    used, unused = (paddle.create_parameter([1], "float32") for _ in range(2))
    optimizer = build_optimizer(OptimConfig(lr=0.1, clip=1.0), [used, unused])
    for parameters in ([used, unused], [used]):
        before = unused.numpy()
        sum(parameters).sum().backward()
        optimizer.step()
        optimizer.clear_grad()
    np.testing.assert_array_equal(unused.numpy(), before)  # as in a run that is resumed between the two
