"""The one exception whose message is meant for the user, and words for how a process ended."""

from __future__ import annotations

import difflib
import signal
from typing import Callable, Iterable

_CAUSES = {
    signal.SIGILL: "an instruction that this processor does not have",
    signal.SIGKILL: "memory was short, as a rule",
    signal.SIGSEGV: "a fault in a library, as a rule",
}


class InputError(Exception):
    """Something the user gave is wrong.

    The message is one line: which file, which line or key, what was expected, what to
    do. Tools print it without a traceback and exit with code 2 (``cli.run_tool``).

    >>> import inflate_shrink as ins
    >>> try:
    ...     ins.load_model("runs/no-such-run")
    ... except ins.InputError as error:
    ...     print(error)
    runs/no-such-run: no such checkpoint directory; tools/train.py makes them in run.dir
    """


def attempt(function: Callable, *arguments):
    """Return what a function does, or the InputError that it raises."""
    try:
        return function(*arguments)
    except InputError as error:
        return error


def nearest(name: str, known: Iterable[str], least: float = 0.0) -> str:
    """Return the one of ``known`` spelled most like ``name``, or "" if none is at ``least`` so alike (0 to 1)."""
    alike = {each.lower(): each for each in known}
    return next((alike[found] for found in difflib.get_close_matches(name.lower(), alike, n=1, cutoff=least)), "")


def in_one_line(error: Exception) -> str:
    """Return the beginning of an error's text, as a part of our own message; of one without text its kind."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200]


def how_it_ended(code: int | None) -> str:
    """Say how a process ended by its return code, below 0 for a signal, which is named with its usual cause."""
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    try:
        number = signal.Signals(-code)
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-code}"
    cause = _CAUSES.get(number, "")
    return f"was killed by signal {-code}, {number.name}{f': {cause}' if cause else ''}"
