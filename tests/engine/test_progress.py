"""The status of a run, for other programs."""

import json

import paddle
import pytest

from inflate_shrink.engine import progress
from inflate_shrink.engine.progress import Progress, Status, read_status


@pytest.fixture
def clock(monkeypatch):
    """A list of one number: the seconds that the clock of Progress shows."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_status_of_two_attempts(tmp_path, clock):
    first = Progress(tmp_path / "train.log", log_steps=2)
    clock[0] += 5  # a teacher's fragments
    first.start(total=6, done=0, pairs_per_update=8)
    assert read_status(tmp_path) is None
    for step in range(3):
        clock[0] += 1
        first.step(paddle.to_tensor(1.0), 0.1, 0)
    assert read_status(tmp_path) == Status(2, 6, 7.0)  # at every second update
    first.close()
    assert read_status(tmp_path) == Status(3, 6, 8.0)

    clock[0] += 1000
    second = Progress(tmp_path / "train.log", log_steps=2)
    second.start(total=6, done=3, pairs_per_update=8)
    clock[0] += 2
    second.close()
    assert json.loads((tmp_path / "status.json").read_text()) == {"step": 3, "steps": 6, "seconds": 10.0}


def test_seconds_of_a_run_of_an_earlier_version_go_on(tmp_path, clock):
    (tmp_path / "seconds").write_text("30.5")
    assert read_status(tmp_path) == Status(0, 0, 30.5)
    resumed = Progress(tmp_path / "train.log", log_steps=2)
    resumed.start(total=6, done=4, pairs_per_update=8)
    clock[0] += 1.5
    resumed.close()
    assert read_status(tmp_path) == Status(4, 6, 32.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "[" * 100_000,
        '{"step": Infinity, "steps": 2, "seconds": 3}',
        '{"step": 1}',
        '{"step": "x", "steps": 2, "seconds": 3}',
    ],
)
def test_damaged_status(tmp_path, text):
    (tmp_path / "status.json").write_text(text)
    assert read_status(tmp_path) is None
