"""Steps of a pipeline as processes, several at a time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import paddle
import yaml
from tqdm import tqdm

from ..atomic import atomic_path, atomic_symlink
from ..config import to_dict
from ..engine.progress import read_status
from ..errors import InputError
from ..lock import FileLock, Held, take_lock
from ..signals import terminate
from ..terminal import printable
from .plan import Step, is_finished

_COMMANDS = "inflate_shrink.commands"
_TRAINING = 0.95  # share of a step's time; the rest is measuring
# Where the children find this package, whatever their working directory holds.
_ROOT = Path(__file__).resolve().parents[2]


_MOST_LANES = 4  # the default's bound: each is a process with a model and its data
_THREADS = ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # Paddle's, which wants one of OpenMP, and NumPy's


def default_lanes(threads: int = 1) -> int:
    """Return the steps at a time: one on a GPU, else as many as the cores have threads for, at most 4."""
    return 1 if paddle.device.cuda.device_count() else max(1, min(_MOST_LANES, len(os.sched_getaffinity(0)) // threads))


def run_steps(steps: list[Step], lanes: int) -> None:
    """Run what is left, ``lanes`` at a time, each step as soon as those that it needs are finished.

    Finished steps are left as they are, interrupted ones resumed, and those that need a failed one left out.
    On Ctrl-C or SIGTERM, or when nobody reads our output any more, the running steps save a checkpoint and end.

    Raises InputError at the end if a step failed; the step has then printed why.
    """
    lane = _Lane(len(steps))
    waiting, running, done, failed = list(steps), {}, set(), []
    try:
        with ThreadPoolExecutor(lanes) as pool, _interrupted_by_sigterm():
            try:
                while waiting or running:
                    for step in [step for step in waiting if done.issuperset(step.needs)][: lanes - len(running)]:
                        waiting.remove(step)
                        running[pool.submit(lane.run_step, step)] = step
                    if not running:
                        break  # the others need a step that failed
                    for run in wait(running, return_when=FIRST_COMPLETED).done:
                        step = running.pop(run)
                        done.add(step.directory) if run.result() else failed.append(step.label)
            except (KeyboardInterrupt, BrokenPipeError):
                lane.stop()
                raise
    finally:
        lane.bar.close()
    if failed:
        left = f"; not run, because they need these: {', '.join(step.label for step in waiting)}" if waiting else ""
        raise InputError(f"failed, see above: {', '.join(failed)}{left}; the same command goes on from there")


@contextmanager
def _interrupted_by_sigterm():
    """Let SIGTERM stop the steps as Ctrl-C does."""
    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _commands(step: Step) -> list[list[str]]:
    """Return the commands of a step: training and measuring; measuring alone for a reranking."""
    measure = [sys.executable, "-m", f"{_COMMANDS}.measure", str(step.directory)]
    if step.tool == "rerank":
        return [[*measure, "--rerank", *map(str, step.needs if len(step.needs) == 2 else step.needs * 2)]]
    return [[sys.executable, "-m", f"{_COMMANDS}.{step.tool}", "-c", str(_write_config(step)), "--resume"], measure]


def _write_config(step: Step) -> Path:
    """Write the resolved config beside the run's directory: what runs, and what a user can run again."""
    file = _beside(step, ".yaml")
    with atomic_path(file) as temporary:
        temporary.write_text(yaml.safe_dump(to_dict(step.config), sort_keys=False))
    return file


def _beside(step: Step, suffix: str) -> Path:
    return step.directory.with_name(step.directory.name + suffix)


def _link(step: Step) -> None:
    """Let runs/DATA/NAME be the step, unless the user has a run of that name."""
    if step.link.is_symlink() or not step.link.exists():
        step.link.parent.mkdir(parents=True, exist_ok=True)
        atomic_symlink(os.path.relpath(step.directory, step.link.parent), step.link)


class _Lane:
    """Runs steps, from several threads, and shows one bar for all of them and the lines that they log."""

    def __init__(self, steps: int):
        self.lock, self.processes, self.stopped, self.shares = Lock(), set(), False, {}
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])),
        }
        self.bar = tqdm(
            total=float(steps),
            desc="steps",
            disable=None,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}, ETA {remaining}",
        )

    def run_step(self, step: Step) -> bool:
        """Run a step unless it is finished; return whether it is now."""
        try:
            with self._claimed(step) as claim:
                finished = is_finished(step) or self._run_commands(step, claim)
                if finished:
                    # Gigabytes, of use to this run alone.
                    shutil.rmtree(step.directory / "teacher_fragments", ignore_errors=True)
                    _link(step)
        except BrokenPipeError:  # nobody reads what we say
            raise
        except (InputError, OSError) as error:
            self._log(f"{step.label}: error: {error}")
            return False
        if finished:
            self._share(step.label, 1.0)
        return finished

    def stop(self) -> None:
        """Ask all processes to save and end."""
        with self.lock:
            self.stopped = True
            for process in self.processes:
                process.terminate()
        self._log("stopping: the running steps save a checkpoint; the same command goes on from there")

    def _run_commands(self, step: Step, claim: FileLock | None) -> bool:
        return all(self._run(step, command, claim) for command in _commands(step))

    @contextmanager
    def _claimed(self, step: Step):
        """Wait until no other pipeline is at this step. Yields the lock, which the step's processes
        inherit: they hold it on if this one is killed. None when stopped meanwhile."""
        step.directory.mkdir(parents=True, exist_ok=True)
        lock, waited = None, False
        while lock is None and not self.stopped:
            try:
                lock = take_lock(_beside(step, ".lock"), step.directory, inherited=True)
            except Held as held:
                if not waited:
                    self._log(f"{step.label}: another pipeline is at this step ({held.holder}), waiting for it")
                waited = True
                time.sleep(0.5)
        try:
            yield lock
        finally:
            if lock:
                lock.release()

    def _run(self, step: Step, command: list[str], claim: FileLock | None) -> bool:
        """Run a command and show its lines; whether it succeeded."""
        with self.lock:
            if self.stopped:
                return False
            # a session of its own: Ctrl-C reaches this process alone, which passes on one signal (a second would end
            # it unsaved)
            environment = {**self.environment, **dict.fromkeys(_THREADS, str(step.threads)), "OMP_NUM_THREADS": "1"}
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                start_new_session=True, pass_fds=[claim.fileno()],
            )  # fmt: skip
            self.processes.add(process)
        self._log(f"$ python {' '.join(command[1:])}")
        for line in process.stdout:
            self._log(f"{step.label}: {line.rstrip()}")
            status = read_status(step.directory)
            if status and status.steps:
                self._share(step.label, _TRAINING * status.step / status.steps)
        succeeded = process.wait() == 0
        with self.lock:
            self.processes.discard(process)
        return succeeded

    def _log(self, line: str) -> None:
        with self.lock:
            tqdm.write(printable(line), file=sys.stdout)
            sys.stdout.flush()

    def _share(self, label: str, share: float) -> None:
        with self.lock:
            self.bar.update(share - self.shares.get(label, 0.0))
            self.shares[label] = share
