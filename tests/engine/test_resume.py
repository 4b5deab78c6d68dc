"""A run that is killed, at any moment, and resumed ends with the weights of one that was not: through the tools."""

import json
import os
import signal
import time

import numpy as np
import paddle
import pytest

UPDATES = 45  # 15 an epoch
OVERRIDES = ["-o", "optim.epochs=3", "-o", "run.save_steps=1", "-o", "model.dropout=0.1"]
DEADLINE = 240  # seconds


def contents(checkpoint):
    weights = {name: np.asarray(value) for name, value in paddle.load(str(checkpoint / "model.pdparams")).items()}
    return weights, json.loads((checkpoint / "state.json").read_text())


def assert_same_end(run, whole):
    (ours, state), (expected, expected_state) = contents(run / "last"), contents(whole / "last")
    assert state == expected_state and state["finished"] and state["step"] == UPDATES
    assert ours.keys() == expected.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], expected[name], err_msg=name)
    assert os.readlink(run / "best") == os.readlink(whole / "best")
    assert sorted(path.name for path in run.iterdir()) == sorted(path.name for path in whole.iterdir())


def last_step(run):
    """Updates in RUN/last, -1 if there is none (or it is being replaced)."""
    try:
        return json.loads((run / "last" / "state.json").read_text())["step"]
    except OSError:
        return -1


class Runs:
    """Starts one tool with one config, in directories of their own."""

    def __init__(self, tool, config, overrides, start_tool, directory):
        self.arguments, self.start_tool, self.directory = (tool, "-c", config, *OVERRIDES, *overrides), start_tool, directory

    def start(self, run, *more):
        return self.start_tool(*self.arguments, "-o", f"run.dir={run}", *more)

    def finish(self, run, *more):
        process = self.start(run, *more)
        stdout, stderr = process.communicate(timeout=DEADLINE)
        return process.returncode, stdout, stderr

    def stop(self, number, ready):
        """A run directory whose process got the signal as soon as ``ready(run)``, with the process' results.

        A process may be over before the signal reaches it; then another one is tried.
        """
        for attempt in range(5):
            run = self.directory / f"stopped-{attempt}"
            process, deadline = self.start(run), time.monotonic() + DEADLINE
            while not ready(run) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=DEADLINE)
            if process.returncode != 0:
                return run, (process.returncode, stdout, stderr)
        pytest.fail("the process was always over before the signal")


def resumable(name, tmp_path_factory, tiny_yaml, trained, start_tool, own):
    overrides = [] if name == "train" else ["-o", f"distill.teacher={trained('model.codes=3', 'model.fragments=all')}"]
    return Runs(name, tiny_yaml, overrides, start_tool, own)


@pytest.fixture(params=["train", "distill"])
def runs(request, tmp_path_factory, tiny_yaml, trained, start_tool, tmp_path):
    return resumable(request.param, tmp_path_factory, tiny_yaml, trained, start_tool, tmp_path)
