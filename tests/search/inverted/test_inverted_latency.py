"""Queries per second: what is timed. How long it takes decides nothing."""

import numpy as np
import paddle
import pytest

from inflate_shrink.scoring import Fragments
from inflate_shrink.search.inverted import latency
from inflate_shrink.search.inverted.latency import queries_per_second


def test_both_ways_answer_the_same(make_index, monkeypatch):
    answers, true_best = [], latency.best
    monkeypatch.setattr(latency, "best", lambda scores, k: (answers.append(scores.tolist()), true_best(scores, k))[1])
    clock = iter([0.0, 0.5, 10.0, 12.0])
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(clock))
    words = paddle.eye(4)  # log(1 + w . r) of the pieces 0 to 3
    regions = np.expm1(np.array([[[1.0, 2, 0, 0], [0, 0, 3, 0]], [[0, 1.0, 0, 0], [0.5, 0, 0, 4]]], np.float32))
    index = make_index([[0] * 4, [1] * 4])
    monkeypatch.setattr(index, "scores", lambda pieces: np.array([[1, 2, 3, 0], [0.5, 1, 0, 4]], np.float32)[:, pieces].sum(1))
    found = queries_per_second(index, words, Fragments(paddle.to_tensor(regions)), [np.array([0, 1]), np.array([2, 2])], k=1)
    assert found == {"images": 2, "queries": 2, "inverted": 4, "full": 1, "ratio": 4}
    inverted, full = answers[:3], answers[3:]
    assert inverted == [[3, 1.5], [3, 1.5], [6, 0]]  # the first of them is not timed
    assert full == [pytest.approx(scores, abs=1e-5) for scores in inverted]
