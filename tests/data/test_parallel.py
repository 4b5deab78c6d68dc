import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from inflate_shrink.data.parallel import ordered_map
from inflate_shrink.errors import InputError

OFFSET = 0


def set_offset(value):
    global OFFSET
    OFFSET = value


def refuse():
    raise InputError("the network is missing")


def work(item):
    """What the tests' workers do; the item says what."""
    if item == "bad":
        raise InputError("item is bad")
    if item == "bug":
        raise ValueError("a bug")
    if item == "odd":
        raise OddError(1, 2)
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "exit":
        os._exit(3)
    if item == "threads":
        return [os.environ.get(f"{name}_NUM_THREADS") for name in ("OPENBLAS", "OMP", "MKL")]
    if item == "pid":
        return os.getpid()
    if isinstance(item, bytes):
        return item[::-1]
    time.sleep(0.02 * (item % 3 == 0))
    return item + OFFSET


class OddError(Exception):
    """Can be pickled, but not made again from the pickle."""

    def __init__(self, one, two):
        super().__init__("odd")


def results(workers, *items, **options):
    return [result for _, result in ordered_map(work, items, workers, **options)]


def no_children_left():
    return not multiprocessing.active_children()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_results_in_order(workers):
    items = [*range(6), "bad", *range(7, 12)]
    pairs = list(ordered_map(work, iter(items), workers, set_offset, (100,)))
    set_offset(0)
    assert [item for item, _ in pairs] == items
    error = pairs.pop(6)[1]
    assert type(error) is InputError and str(error) == "item is bad"
    assert all(result == item + 100 for item, result in pairs)
    assert no_children_left()


@pytest.mark.parametrize("workers", [1, 2])
def test_no_items(workers):
    assert results(workers) == [] and no_children_left()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_other_exceptions_are_raised(workers):
    with pytest.raises(ValueError, match="a bug"):
        results(workers, 1, "bug", 2)
    with pytest.raises(InputError, match="network is missing"):
        results(workers, 1, initializer=refuse)
    assert no_children_left()


def test_exception_that_cannot_be_pickled_and_failing_items():
    with pytest.raises(RuntimeError, match="OddError"):
        results(2, "odd")

    def broken():
        yield 1
        raise InputError("line 2 is bad")

    with pytest.raises(InputError, match="line 2"):
        list(ordered_map(work, broken(), 2))
    assert no_children_left()


@pytest.mark.slow
@pytest.mark.parametrize("how, says", [("die", "killed by signal 9"), ("exit", "exit code 3")])
def test_dead_worker(how, says):
    large = bytes(3_000_000)  # more than a pipe holds
    with pytest.raises(InputError, match=says) as caught:
        results(2, large, how, *[large] * 8)
    assert "fewer workers" in str(caught.value) and no_children_left()


@pytest.mark.slow
def test_bounded_number_in_flight():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield taken

    generator = ordered_map(work, endless(), 2)
    for done in range(1, 6):
        next(generator)
        assert taken - done < 2 * 2 + 2
    generator.close()
    assert no_children_left()


@pytest.mark.slow
def test_large_items_and_one_blas_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    data = np.random.default_rng(0).bytes(2_000_000)
    assert results(2, data, "threads", data) == [data[::-1], ["1", "1", "1"], data[::-1]]
    assert dict(os.environ) == before


SCRIPT = """
import os, sys, time
from inflate_shrink.data.parallel import ordered_map

def slow(item):
    if item == 0:
        return os.getpid()
    time.sleep(3600)

if __name__ == "__main__":
    for _, pid in ordered_map(slow, range(100), 2):
        print(pid, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_orphans(tmp_path, how):
    """After Ctrl-C, at once and with one traceback; after a kill, as soon as the item is done."""
    sleep = "3600" if how == signal.SIGINT else "0.5"
    (tmp_path / "script.py").write_text(SCRIPT.replace("3600", sleep))
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))
    process = subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    process.stdout.readline()  # a worker has done one item
    (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)  # a terminal signals the whole group
    _, errors = process.communicate(timeout=300)  # returns when no process holds the pipes any more
    if how == signal.SIGINT:
        assert errors.count(b"Traceback") == 1 and b"KeyboardInterrupt" in errors
