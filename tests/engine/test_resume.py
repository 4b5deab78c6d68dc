"""A run that is interrupted and resumed ends with the weights of one that was not: through the tools. Killed: tests/faults."""

import json
import os
import signal
import time

import numpy as np
import pytest

from inflate_shrink.engine.checkpoint_files import read_weights

pytestmark = pytest.mark.slow

UPDATES = 30  # 15 an epoch
DEADLINE = 240  # seconds


class Runs:
    """Runs of one tool with one config, each in a directory of its own."""

    def __init__(self, start_tool, directory, *arguments):
        self.start_tool, self.directory, self.arguments = start_tool, directory, arguments

    def start(self, name, *more):
        return self.start_tool(*self.arguments, "-o", f"run.dir={self.directory / name}", *more)

    def finish(self, name, *more):
        """Exit code, stdout and stderr of a run to its end."""
        process = self.start(name, *more)
        stdout, stderr = process.communicate(timeout=DEADLINE)
        return process.returncode, stdout, stderr

    def stop(self, name, number, ready):
        """Send signal ``number`` to a run as soon as ``ready(directory)``: its directory, exit code and stderr.

        The run may be over before the signal reaches it; then another one is tried.
        """
        for attempt in range(5):
            run = self.directory / f"{name}-{attempt}"
            process, deadline = self.start(run.name), time.monotonic() + DEADLINE
            while not ready(run) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            process.send_signal(number)
            _, stderr = process.communicate(timeout=DEADLINE)
            if process.returncode != 0:
                return run, process.returncode, stderr
        pytest.fail("the run was always over before the signal")


def last_step(run):
    """Updates in RUN/last; -1 if there is none, or if it was replaced just now."""
    try:
        return json.loads((run / "last" / "state.json").read_text())["step"]
    except OSError:
        return -1


def assert_same_end(run, whole):
    """Weights and history are bit by bit those of the run that was never stopped, and nothing else lies around."""
    weights, states = [], []
    for directory in (run, whole):
        weights.append(read_weights(directory / "last"))
        states.append(json.loads((directory / "last" / "state.json").read_text()))
    assert states[0] == states[1] and states[0]["finished"] and states[0]["step"] == UPDATES
    assert weights[0].keys() == weights[1].keys()
    for name in weights[0]:
        np.testing.assert_array_equal(weights[0][name], weights[1][name], err_msg=name)
    assert os.readlink(run / "best") == os.readlink(whole / "best")
    assert sorted(path.name for path in run.iterdir()) == sorted(path.name for path in whole.iterdir())


@pytest.fixture(scope="module", params=["train", "distill"])
def runs(request, tmp_path_factory, tiny_yaml, trained, start_tool):
    """Runs of train.py and of distill.py; "whole" is one that was never stopped."""
    overrides = [
        "run.save_steps=1",
        "model.dropout=0.1",
        "optim.warmup_steps=4",
        "optim.schedule=cosine",
    ]
    if request.param == "distill":
        overrides.append(f"distill.teacher={trained('model.codes=3', 'model.fragments=all')}")
    arguments = [part for override in overrides for part in ("-o", override)]
    runs = Runs(start_tool, tmp_path_factory.mktemp(request.param), request.param, "-c", tiny_yaml, *arguments)
    code, _, stderr = runs.finish("whole")
    assert code == 0, stderr
    return runs


def resume(runs, run):
    code, stdout, stderr = runs.finish(run.name, "--resume")
    assert code == 0, stderr
    assert_same_end(run, runs.directory / "whole")
    return stdout


def test_interrupted_run_saves_and_says_how_to_go_on(runs):
    run, code, stderr = runs.stop("interrupted", signal.SIGINT, lambda run: last_step(run) >= 5)
    assert code == 130
    assert stderr == "interrupted\n"
    saved = last_step(run)
    assert 5 <= saved < UPDATES
    assert f"stopped at update {saved}; --resume goes on from {run}/last" in (run / "train.log").read_text()
    resume(runs, run)


def test_resuming_with_another_config_is_refused(runs):
    code, _, stderr = runs.finish("whole", "--resume", "-o", "optim.lr=1e-5", "-o", "run.log_steps=1")
    assert code == 2
    assert stderr.startswith("error: ") and stderr.count("\n") == 1
    assert "optim.lr: 0.002 -> 1e-05" in stderr and "log_steps" not in stderr


def test_starting_where_a_run_is_needs_resume(runs):
    before = {path: path.stat().st_mtime_ns for path in (runs.directory / "whole" / "last").iterdir()}
    code, _, stderr = runs.finish("whole")
    assert code == 2
    assert stderr.startswith("error: ") and stderr.count("\n") == 1 and "--resume" in stderr
    assert before == {path: path.stat().st_mtime_ns for path in (runs.directory / "whole" / "last").iterdir()}
