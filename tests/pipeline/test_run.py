"""Scheduling, failures, stops and links, with steps that take no time."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from inflate_shrink.config import Config
from inflate_shrink.errors import InputError
from inflate_shrink.pipeline import run
from inflate_shrink.pipeline.plan import Step
from inflate_shrink.pipeline.result import RESULT
from inflate_shrink.pipeline.run import run_steps
from inflate_shrink.signals import Terminated

DEADLINE = 60  # seconds
PACKAGE = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


@pytest.fixture
def step(tmp_path):
    """A function: name and the steps that it needs -> a step."""

    def make(name, *needs):
        directory = tmp_path / "runs" / "steps" / f"{name}-0"
        config = replace(Config(), name=name)
        return Step(
            name, "train", config, [need.directory for need in needs], directory, tmp_path / "runs" / "tiny" / name
        )

    return make


@pytest.fixture
def scripts(monkeypatch, result_of):
    """A dict: name of a step -> shell script in its directory; each step without one writes its result and its name to ../../order."""
    chosen = {}

    def commands(step):
        script = chosen.get(step.name, "true")
        (step.directory / "result").write_text(json.dumps(result_of(step.config)))
        return [
            ["bash", "-c", f"cd {step.directory} && {script}"],
            ["bash", "-c", f"cd {step.directory} && echo {step.name} >> ../../order && mv result {RESULT}"],
        ]

    monkeypatch.setattr(run, "_commands", commands)
    return chosen


def order(tmp_path):
    return (tmp_path / "runs" / "order").read_text().split()


def test_a_step_runs_once_when_those_it_needs_are_finished(step, scripts, tmp_path, capsys):
    first = step("I")
    second = step("I-B", first)
    scripts["I"] = "sleep 0.3"
    scripts["I-B"] = "ls ../I-0/result.json && mkdir teacher_fragments"
    steps = [second, step("I-B-F", second), first, step("F")]  # in any order
    run_steps(steps, lanes=2)
    assert order(tmp_path) == ["F", "I", "I-B", "I-B-F"]  # F does not wait behind I-B
    assert "I-B: ../I-0/result.json" in capsys.readouterr().out
    assert os.readlink(second.link) == "../steps/I-B-0" and not (second.directory / "teacher_fragments").exists()

    run_steps(steps, lanes=2)
    assert len(order(tmp_path)) == 4


@pytest.mark.parametrize("lanes", [1, 3])
def test_the_threads_of_a_step_are_its_own_however_many_run(step, scripts, lanes, capsys, monkeypatch):
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    scripts.update(dict.fromkeys("BI", "echo $MKL_NUM_THREADS $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS"))
    run_steps([step("B"), step("I")._replace(threads=5)], lanes)
    said = capsys.readouterr().out
    assert "B: 1 1 1\n" in said and "I: 5 1 5\n" in said


def test_the_bar_goes_by_the_status_of_a_run(step, scripts, monkeypatch):
    shares = []
    monkeypatch.setattr(run._Lane, "_share", lambda lane, label, share: shares.append((label, share)))
    scripts["I"] = (
        """echo epoch 1 update 7/8: loss 3; echo '{"step": 2, "steps": 4, "seconds": 1}' > status.json; echo logged"""
    )
    run_steps([step("I")], lanes=1)
    assert set(shares) == {("I", 0.95 * 2 / 4), ("I", 1.0)}  # whatever the log says


def test_a_failed_step_stops_those_that_need_it(step, scripts, tmp_path, capsys):
    first, other = step("I"), step("B")
    second = step("I-B", first)
    scripts["I"] = "echo error: no such thing; exit 2"
    with pytest.raises(
        InputError, match="failed, see above: I; not run, because they need these: I-B, I-B-F; the same command goes on"
    ):
        run_steps([first, second, step("I-B-F", second), other, step("B-F", other)], lanes=1)
    assert order(tmp_path) == ["B", "B-F"]
    assert "I: error: no such thing" in capsys.readouterr().out

    del scripts["I"]
    run_steps([first, second, other], lanes=1)
    assert order(tmp_path) == ["B", "B-F", "I", "I-B"]


def test_a_run_of_the_users_is_not_replaced_by_a_link(step, scripts):
    own, linked = step("B"), step("F")
    own.link.mkdir(parents=True)
    linked.link.symlink_to("../steps/F-of-before")
    run_steps([own, linked], lanes=1)
    assert not own.link.is_symlink() and os.readlink(linked.link) == "../steps/F-0"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on_once_and_ends_the_run(step, scripts, tmp_path, capsys, number):
    scripts["I"] = "trap 'echo saved; exit 130' TERM INT; touch started; for i in {1..600}; do sleep 0.1; done"
    running = step("I")

    def stop():
        deadline = time.monotonic() + DEADLINE
        while not (running.directory / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(KeyboardInterrupt) as stopped:
        run_steps([running, step("I-B", running), step("F")], lanes=1)
    thread.join()
    assert stopped.type is {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}[number]  # which exit code
    out = capsys.readouterr().out
    assert out.count("I: saved") == 1 and "the same command goes on from there" in out
    assert not (tmp_path / "runs" / "order").exists()


def test_a_reader_that_has_gone_stops_the_steps(step, scripts, monkeypatch):
    scripts["I"] = "trap 'touch saved; exit' TERM; echo started; for i in {1..600}; do sleep 0.1; done"
    running = step("I")

    def write(line, file):
        if "I: started" in line:
            raise BrokenPipeError

    monkeypatch.setattr(run.tqdm, "write", write)
    with pytest.raises(BrokenPipeError):
        run_steps([running, step("F")], lanes=1)
    deadline = time.monotonic() + DEADLINE
    while not (running.directory / "saved").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (running.directory / "saved").exists()


@pytest.mark.slow
def test_a_step_that_another_process_is_at_is_waited_for(step, scripts, result_of, tmp_path, capsys):
    mine = step("B")
    mine.directory.mkdir(parents=True)
    hold = (
        "import os, sys; from pathlib import Path; from inflate_shrink.lock import take_lock; lock = take_lock(Path('../B-0.lock'), '');"
        "print(flush=True); sys.stdin.read(); os.rename('result', 'result.json')"
    )
    (mine.directory / "result").write_text(json.dumps(result_of(mine.config)))
    other = subprocess.Popen(
        [sys.executable, "-c", hold], cwd=mine.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=PACKAGE
    )
    other.stdout.readline()
    timer = threading.Timer(0.5, other.stdin.close)
    timer.start()
    run_steps([mine], lanes=1)
    assert other.wait(DEADLINE) == 0
    assert f"B: another pipeline is at this step (process {other.pid} on " in capsys.readouterr().out
    assert not (tmp_path / "runs" / "order").exists()  # it was finished by the other
