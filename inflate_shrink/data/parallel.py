"""Apply a function in worker processes, in order and with bounded memory.

Processes are spawned: a fork would copy the locks of this process' threads (Paddle's, BLAS') in whatever
state they are, and a fork server keeps the environment of its first use, so the limit on BLAS threads
could not be trusted. Each worker is served by a thread that sends it one item at a time, so that a worker
that dies, even while a large item is on its way, closes its pipe and is noticed at once. The workers of a
concurrent.futures pool would outlive a parent that is killed, and it does not tell how one of them died.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import traceback
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Callable, Iterable, Iterator

from ..errors import InputError, attempt, how_it_ended

_SPAWN = multiprocessing.get_context("spawn")
_ONE_THREAD = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}


def ordered_map(
    function: Callable, items: Iterable, workers: int, initializer: Callable | None = None, initargs: tuple = ()
) -> Iterator[tuple]:
    """Yield ``(item, function(item))`` in the order of the items.

    An InputError of ``function`` is yielded as the result. At most 2 * workers + 2 items are taken and not
    yet yielded. Each worker runs BLAS on one thread. Ctrl-C, an error, or closing the generator kills the
    workers.

    Args:
        function, initializer: picklable, as are items and results; ``initializer(*initargs)`` runs first in each
            worker.
        workers: processes; with 1 or fewer everything runs in this process.

    Raises:
        InputError: a worker was killed, or ``initializer`` raised it.
        Exception: any other exception of ``function``, ``initializer`` or ``items``.
    """
    if workers <= 1:
        if initializer:
            initializer(*initargs)
        for item in items:
            yield item, attempt(function, item)
        return
    crew, idle = [], queue.SimpleQueue()
    threads = ThreadPoolExecutor(workers, "ordered_map")

    def answer(item):
        worker = idle.get()  # there are as many threads as workers, so one is idle
        try:
            return worker.ask(item)
        finally:
            idle.put(worker)

    pending = deque()
    try:
        for _ in range(workers):
            crew.append(_Worker(function, initializer, initargs))
            idle.put(crew[-1])
        for item in items:
            pending.append((item, threads.submit(answer, item)))
            if len(pending) == 2 * workers + 2:
                yield _next(pending)
        while pending:
            yield _next(pending)
    finally:
        for worker in crew:
            worker.process.kill()  # its thread then reads the end of the pipe
        threads.shutdown(wait=True, cancel_futures=True)
        for worker in crew:
            worker.close()


def _next(pending: deque) -> tuple:
    item, result = pending.popleft()
    return item, result.result()


class _Worker:
    """A process and this end of its pipe."""

    def __init__(self, function: Callable, initializer: Callable | None, initargs: tuple):
        self._pipe, other_end = _SPAWN.Pipe()
        self._ready = False
        self.process = _SPAWN.Process(target=_serve, args=(other_end, function, initializer, initargs), daemon=True)
        with _worker_environment():
            self.process.start()
        # If it stayed open, the end of the process would not be the end of the pipe.
        other_end.close()

    def ask(self, item):
        """Return an item's result or InputError; raise what else the worker raised, and InputError if it is dead."""
        try:
            if not self._ready:
                self._receive()  # the answer of the initializer
                self._ready = True
            self._pipe.send(item)
            return self._receive()
        except (EOFError, ConnectionError):
            self.process.join(5)
            how = how_it_ended(self.process.exitcode)
            raise InputError(f"a worker process {how}; where memory is short use fewer workers") from ChildProcessError(
                how
            )

    def close(self) -> None:
        self._pipe.close()
        self.process.join()
        self.process.close()

    def _receive(self):
        value, failure, where = pickle.loads(self._pipe.recv_bytes())
        if failure is not None:
            raise failure from RuntimeError(f"in a worker process:\n{where}")
        return value


def _serve(pipe, function: Callable, initializer: Callable | None, initargs: tuple) -> None:
    """Answer what comes through the pipe, in a worker, until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pipe.send_bytes(_attempt(lambda: initializer(*initargs) if initializer else None))
        while True:
            data = pipe.recv_bytes()
            pipe.send_bytes(_attempt(lambda: attempt(function, pickle.loads(data))))
    except (EOFError, ConnectionError):
        pass  # the parent has ended


def _attempt(call: Callable) -> bytes:
    """Pickle the result of a call as (result, None, ""), or what it raised as (None, exception, traceback)."""
    try:
        return pickle.dumps((call(), None, ""), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        where = traceback.format_exc()
        try:
            data = pickle.dumps((None, error, where))
            pickle.loads(data)  # some exceptions can be pickled but not made again
            return data
        except Exception:  # both calls run code of the exception's class, which may raise anything
            return pickle.dumps((None, RuntimeError(repr(error)), where))


@contextmanager
def _worker_environment():
    """Let a process started inside inherit BLAS on one thread, and no Ctrl-C, which its parent acts on."""
    # Started later, it would unblock Ctrl-C.
    resource_tracker.ensure_running()
    before = {name: os.environ[name] for name in _ONE_THREAD if name in os.environ}
    os.environ.update(_ONE_THREAD)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        for name in _ONE_THREAD:
            del os.environ[name]
        os.environ.update(before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
