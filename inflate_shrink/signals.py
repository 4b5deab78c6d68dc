"""How SIGTERM and Ctrl-C end a tool: in one line, also where Paddle would print a stack trace of its own."""

from __future__ import annotations

import importlib.abc
import importlib.util
import signal
import sys
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """SIGTERM came. A KeyboardInterrupt, so that what cleans up after Ctrl-C cleans up after it."""


def raise_on_sigterm() -> None:
    """Let SIGTERM raise :class:`Terminated` in the main thread, from now on and after Paddle is imported."""
    signal.signal(signal.SIGTERM, terminate)
    if "paddle" not in sys.modules:
        sys.meta_path.insert(0, _AfterPaddle())


def terminate(number, frame):
    """Raise :class:`Terminated`: a handler as :func:`signal.signal` takes it."""
    raise Terminated


class _Stop:
    requested = False


@contextmanager
def stop_on_signal():
    """Turn the first SIGINT or SIGTERM into a request that the loop reads between updates; a second one interrupts."""
    stop, previous = _Stop(), {}

    def request(number, frame):
        stop.requested = True
        for signal_number, handler in previous.items():
            signal.signal(signal_number, handler)

    for signal_number in (signal.SIGINT, signal.SIGTERM):
        previous[signal_number] = signal.signal(signal_number, request)
    try:
        yield stop
    finally:
        for signal_number, handler in previous.items():
            signal.signal(signal_number, handler)


class _AfterPaddle(importlib.abc.MetaPathFinder):
    """Watches for the import of Paddle, whose C++ code takes SIGTERM, and gives it back to Python's handler."""

    def find_spec(self, name, path, target=None):
        if name != "paddle":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))

            spec.loader.exec_module = exec_module
        return spec
