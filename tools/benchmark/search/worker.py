"""An object that lives in a process of its own: its threads, its memory and its environment disturb no other.

OpenMP runtimes of different libraries (Paddle's, PyTorch's) in one process cost each other milliseconds a call.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

from inflate_shrink.cpu import keep_freed_memory
from inflate_shrink.errors import InputError, how_it_ended

from ..environment import new_process

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


class WorkerError(InputError):
    """The object raised, or its process ended, by itself or by a signal."""


class Worker:
    """``module:Class`` built in a new process, whose methods are called with JSON values and return them.

    Args:
        target: ``module:Class``.
        threads: number of threads of OpenMP, MKL, OpenBLAS and Rayon there.
        arguments: of the class.
        environment: further variables of the process.

    Raises:
        WorkerError: the object cannot be built.
    """

    def __init__(self, target: str, threads: int, arguments: dict, environment: dict | None = None):
        # Ninja, of PyTorch's extensions.
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        variables = {**dict.fromkeys(_THREADS, str(threads)), "PATH": programs, **(environment or {})}
        command = [sys.executable, "-m", __name__, target]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, **pipes, text=True, **new_process(**variables))
        self.call("__init__", **arguments)

    def call(self, name: str, /, **arguments):
        """Return what the method ``name`` does; raises WorkerError if it raises, or the process ends."""
        try:
            self._process.stdin.write(json.dumps([name, arguments]) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except (BrokenPipeError, ValueError):  # ended meanwhile, or closed before
            answer = ""
        if not answer:
            self.close()
            raise WorkerError(f"the process that measures it {how_it_ended(self._process.returncode)}")
        value, error = json.loads(answer)
        if error:
            if name == "__init__":
                self.close()
            raise WorkerError(error)
        return value

    def close(self) -> None:
        """End the process, at once if it still works."""
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self._process.kill()
        self.close()


def load(target: str):
    """Return the class that ``module:Class`` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _main(target: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    keep_freed_memory()
    it = None
    for line in sys.stdin:
        method, arguments = json.loads(line)
        try:
            if method == "__init__":
                it, value = load(target)(**arguments), None
            else:
                value = getattr(it, method)(**arguments)
            answer = [value, None]
        except Exception as error:  # of any library
            kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            answer = [None, " ".join(f"{kind}{error}".split())[:300]]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    try:
        _main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit(130)
