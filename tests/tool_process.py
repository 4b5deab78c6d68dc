"""Tools as processes of their own, forked from one that has imported Paddle: a start takes hundredths of a second, not several."""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from pathlib import Path

from inflate_shrink import commands

TOOLS = Path(__file__).resolve().parents[1] / "tools"
FORKS = multiprocessing.get_context("forkserver")


def start_server():
    """Start the process that the tools are forked from; it imports what they do, computes nothing and ends with this one."""
    heavy = ["inflate_shrink.engine", "paddle", "matplotlib.pyplot"]
    FORKS.set_forkserver_preload([*heavy, *(f"inflate_shrink.commands.{name}" for name in commands.names())])
    forkserver.ensure_running()


class ToolProcess:
    """``tools/NAME.py ARGUMENTS`` as a user would start it, in this process's directory and environment; used like a subprocess.Popen."""

    def __init__(self, name, arguments):
        ends = [FORKS.Pipe(duplex=False) for _ in range(2)]
        path = str(TOOLS / f"{name}.py")
        self._process = FORKS.Process(
            target=_run, args=(path, list(arguments), os.getcwd(), dict(os.environ), *(write for _, write in ends))
        )
        self._process.start()
        for _, write in ends:
            write.close()
        self.stdout, self.stderr = (os.fdopen(os.dup(read.fileno()), encoding="utf-8") for read, _ in ends)
        self.pid = self._process.pid

    @property
    def returncode(self):
        """The exit code, minus the signal that ended it, or None while it runs."""
        return self._process.exitcode

    def poll(self):
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def send_signal(self, number):
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout):
        """Return what is left of stdout and stderr, at the end; a process that takes longer than ``timeout`` seconds is killed."""
        with ThreadPoolExecutor(2) as pool:
            texts = [pool.submit(stream.read) for stream in (self.stdout, self.stderr)]
            self._process.join(timeout)
            late = self.poll() is None
            if late:
                self._process.kill()
            self._process.join()
            texts = [text.result() for text in texts]
        for stream in (self.stdout, self.stderr):
            stream.close()
        if late:
            raise subprocess.TimeoutExpired(self._process.name, timeout, *texts)
        return tuple(texts)


def _run(path, arguments, directory, environment, stdout, stderr):
    """Run the tool in the forked process as if Python had just been started with it."""
    for number, pipe in ((1, stdout), (2, stderr)):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
    sys.stderr.reconfigure(line_buffering=True)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    tempfile.tempdir = None  # of another environment
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [path, *arguments]
    sys.path[:0] = [str(TOOLS), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    runpy.run_path(path, run_name="__main__")
