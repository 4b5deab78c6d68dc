"""Distillation losses against values computed by hand and in float64."""

import numpy as np
import paddle
import pytest

from inflate_shrink.config import DistillConfig
from inflate_shrink.losses.distillation import distillation_loss, full_cross_entropy, positive_cross_entropy

TEACHER = paddle.to_tensor([[1.0, 0.8], [0.9, 1.2]])
STUDENT = paddle.to_tensor([[0.5, 0.3], [0.1, 0.4]])


def log_softmax(x, axis):
    x = x - x.max(axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


def test_full_cross_entropy():
    assert float(full_cross_entropy(TEACHER, STUDENT, 2, 16)) == pytest.approx(3.29793, abs=1e-4)
    assert float(full_cross_entropy(TEACHER, STUDENT, 16, 16)) == pytest.approx(0.73798, abs=1e-4)


def test_positive_cross_entropy_is_eq_6():
    teacher, student = TEACHER.numpy().astype("float64"), STUDENT.numpy().astype("float64")
    # images are rows: each text (column) is normalised over the images
    expected = -sum(np.exp(log_softmax(2 * teacher, 0))[i, i] * log_softmax(12 * student, 0)[i, i] for i in range(2))
    assert float(positive_cross_entropy(TEACHER, STUDENT, 2, 12)) == pytest.approx(expected, rel=1e-5)


def test_no_nan_where_softmax_underflows():
    teacher, student = paddle.to_tensor([[480.0, 160.0], [160.0, 480.0]]), paddle.to_tensor([[30.0, -30.0], [0.0, 0.0]])
    student.stop_gradient = False
    loss = full_cross_entropy(teacher, student, 16, 16)
    loss.backward()
    assert np.isfinite(float(loss)) and np.isfinite(student.grad.numpy()).all()


def test_the_teacher_itself_is_the_best_student():
    """The loss is smallest where the student's distribution is the teacher's."""
    at_teacher = float(full_cross_entropy(TEACHER, TEACHER, 4, 4))
    for seed in range(5):
        other = TEACHER + 0.3 * paddle.to_tensor(np.random.RandomState(seed).normal(size=(2, 2)), "float32")
        assert float(full_cross_entropy(TEACHER, other, 4, 4)) >= at_teacher - 1e-6


def test_temperatures_multiply_or_divide():
    multiplied = distillation_loss(DistillConfig(teacher_temperature=2, student_temperature=16))
    divided = distillation_loss(
        DistillConfig(teacher_temperature=0.5, student_temperature=1 / 16, temperature_is="divisor")
    )
    assert float(multiplied(TEACHER, STUDENT)) == pytest.approx(3.29793, abs=1e-4)
    assert float(divided(TEACHER, STUDENT)) == pytest.approx(3.29793, abs=1e-4)


def test_the_loss_is_chosen_by_config():
    positive = distillation_loss(DistillConfig(loss="positive", teacher_temperature=2, student_temperature=12))
    assert float(positive(TEACHER, STUDENT)) == pytest.approx(float(positive_cross_entropy(TEACHER, STUDENT, 2, 12)))
