"""How long a run still takes."""

import pytest

from inflate_shrink.engine import pace
from inflate_shrink.engine.pace import Pace


@pytest.fixture
def clock(monkeypatch):
    """A list of one number: the seconds that the clock of Pace shows."""
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    return now


def lap(pace, clock, seconds, updates=2):
    for _ in range(updates):
        clock[0] += seconds
        pace.update()
    return pace.lap()


def test_laps_are_averaged_after_the_first(clock):
    pace = Pace(validations=0)
    assert lap(pace, clock, 9) == 9 and pace.eta(10) == "0:01:30"
    assert lap(pace, clock, 2) == 2 and pace.eta(10) == "0:00:20"  # the first lap is forgotten
    assert lap(pace, clock, 4) == 4 and pace.eta(10) == "0:00:30"  # the mean of 2 and 4
    for _ in range(50):
        lap(pace, clock, 3)
    lap(pace, clock, 13)  # one lap in which the machine did something else
    assert pace.eta(10) == "0:00:40"  # a tenth of its 100 s more
    assert Pace(validations=0).eta(0) == "0:00:00"


def test_validations_are_timed_apart(clock):
    pace = Pace(validations=3)
    lap(pace, clock, 1)
    assert pace.eta(60) == "0:01:00 + 3 validations"
    pace.update()
    clock[0] += 1
    with pace.validation():
        clock[0] += 40
    assert pace.lap() == 1 and pace.eta(60) == "0:02:20"  # and 2 x 40 s
    with pace.validation():
        clock[0] += 20
    assert pace.eta(30) == "0:01:00"  # and 30 s, the mean
    with pace.validation():
        clock[0] += 30
    assert pace.eta(0) == "0:00:00"


def test_examples_of_the_docstrings(examples):
    assert examples(pace) == (0, 1)
