"""Steps of a pipeline as processes, several at a time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import paddle
import yaml
from tqdm import tqdm

from ..atomic import atomic_path, atomic_symlink
from ..config import to_dict
from ..errors import InputError
from .pipeline import Step, is_finished
from .results import SECONDS

_STEP = re.compile(r"step (\d+)/(\d+): loss")
_TOOLS = Path("tools")


def default_lanes() -> int:
    """One on a GPU, two on two cores: a small model does not keep two cores busy, two of them on one core each do."""
    return 1 if paddle.device.cuda.device_count() else min(2, len(os.sched_getaffinity(0)))


def run_steps(steps: list[Step], lanes: int) -> None:
    """Run what is left, ``lanes`` at a time; a step must come after those it needs.

    Finished steps are left as they are, interrupted ones resumed, and those that need a failed one left out.

    Raises InputError at the end if a step failed; the step has then printed why.
    """
    cores = len(os.sched_getaffinity(0))
    environment = {**os.environ, "MKL_NUM_THREADS": str(max(1, cores // lanes)), "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])}
    progress = _Overall(len(steps))
    runs: dict[Path, Future] = {}
    try:
        with ThreadPoolExecutor(lanes) as pool:
            try:
                for step in steps:
                    runs[step.directory] = pool.submit(_run_step, step, [runs[need] for need in step.needs], environment, progress)
                failed = [step.label for step in steps if not runs[step.directory].result()]
            except KeyboardInterrupt:
                progress.stop()
                raise
    finally:
        progress.close()
    if failed:
        raise InputError(f"{', '.join(failed)}: failed, or needs a step that did (see above); the same command goes on from there")


def _run_step(step: Step, needed: list[Future], environment: dict, progress: "_Overall") -> bool:
    if not all(run.result() for run in needed) or progress.stopped:
        return False
    if not is_finished(step):
        start = time.monotonic()
        if step.tool == "rerank":
            commands = [[sys.executable, "-m", "inflate_shrink.engine.results", str(step.directory), *map(str, _pair(step))]]
        else:
            file = _write_config(step)
            train = [sys.executable, str(_TOOLS / f"{step.tool}.py"), "-c", str(file), "--resume"]
            commands = [train, [sys.executable, "-m", "inflate_shrink.engine.results", str(step.directory)]]
        for number, command in enumerate(commands):
            if not progress.run(step.label, command, environment):
                return False
            if number == 0 and step.tool != "rerank":
                _add_seconds(step.directory, time.monotonic() - start)
    progress.finish(step.label)
    _link(step)
    return True


def _pair(step: Step) -> list[Path]:
    return step.needs if len(step.needs) == 2 else step.needs * 2


def _write_config(step: Step) -> Path:
    """The resolved config beside the run's directory: what runs, and what a user can run again."""
    file = step.directory.with_name(step.directory.name + ".yaml")
    with atomic_path(file) as temporary:
        temporary.write_text(yaml.safe_dump(to_dict(step.config), sort_keys=False))
    return file


def _add_seconds(directory: Path, seconds: float) -> None:
    file = directory / SECONDS
    before = float(file.read_text()) if file.is_file() else 0.0
    with atomic_path(file) as temporary:
        temporary.write_text(f"{before + seconds:.1f}")


def _link(step: Step) -> None:
    """Let runs/DATA/NAME be the step, unless the user has a run of that name."""
    if step.link.is_symlink() or not step.link.exists():
        step.link.parent.mkdir(parents=True, exist_ok=True)
        atomic_symlink(os.path.relpath(step.directory, step.link.parent), step.link)


class _Overall:
    """One bar for all steps, fed by the lines that each of them logs, which are shown too."""

    def __init__(self, steps: int):
        self.done, self.lock, self.processes, self.stopped = {}, Lock(), set(), False
        self.bar = tqdm(total=float(steps), desc="steps", disable=None, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}, ETA {remaining}")

    def run(self, label: str, command: list[str], environment: dict) -> bool:
        """Run a command and show its lines; whether it succeeded."""
        self._log(f"$ python {' '.join(command[1:])}")
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.processes.add(process)
        for line in process.stdout:
            self._log(f"{label}: {line.rstrip()}")
            match = _STEP.search(line)
            if match:
                self._set(label, 0.95 * int(match[1]) / int(match[2]))
        self.processes.discard(process)
        return process.wait() == 0

    def stop(self) -> None:
        """Ask all processes to save and end."""
        self.stopped = True
        for process in list(self.processes):
            process.send_signal(signal.SIGTERM)

    def finish(self, label: str) -> None:
        self._set(label, 1.0)

    def close(self) -> None:
        self.bar.close()

    def _log(self, line: str) -> None:
        with self.lock:
            tqdm.write(line, file=sys.stdout)
            sys.stdout.flush()

    def _set(self, label: str, share: float) -> None:
        with self.lock:
            self.bar.update(share - self.done.get(label, 0.0))
            self.done[label] = share
