"""The compiled kernel, found beside this file; setup.py builds it of ``csrc/``."""

from __future__ import annotations

import ctypes
import os
import warnings
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import InputError

NUMPY = "numpy"  # the path that needs no library
VARIABLE = "INFLATE_SHRINK_PATH"
MOST_THREADS = 1024
_SHORT_OF_MEMORY, _NOT_STORED = -1, -2
_INTERFACE = 5  # is_interface of csrc/library.h


def library() -> ctypes.CDLL | None:
    """Return the library, or None if it was not built here or is not wanted (see :func:`paths`)."""
    return None if paths() == (NUMPY,) else _load()


@cache
def paths() -> tuple[str, ...]:
    """Return the ways to compute that this machine has, the best first: instruction sets of the library, then "numpy".

    Where the environment variable INFLATE_SHRINK_PATH names one of them, those before it are left out, as on a machine
    without them. Raises InputError if it names none.
    """
    names, chosen = (*_built(), NUMPY), os.environ.get(VARIABLE) or None
    if chosen not in (None, *names):
        raise InputError(f"{VARIABLE}={chosen} is no way to compute here; this machine has {', '.join(names)}")
    return names[names.index(chosen) :] if chosen else names


def path_number(path: str) -> int | None:
    """Return the library's number of a path ("": of the best one), or None for NumPy.

    Raises InputError if this machine lacks it.
    """
    path = path or paths()[0]
    if path not in paths():
        raise InputError(f"{path!r} is no way to compute here; this machine has {', '.join(paths())}")
    return None if path == NUMPY else _built().index(path)


def thread_count(threads: int) -> int:
    """Return ``threads``, or for 0 the number of cores this process may use.

    Raises InputError if it is not 0 to MOST_THREADS.
    """
    if not isinstance(threads, (int, np.integer)) or not 0 <= threads <= MOST_THREADS:
        raise InputError(f"threads must be 0 (all cores) or more, up to {MOST_THREADS}, found {threads}")
    return int(threads) or min(len(os.sched_getaffinity(0)), MOST_THREADS)


def call(function: str, *arguments) -> None:
    """Call a function of the library; arrays go as pointers (None: null), integers as 64-bit or int by ``ctypes`` type
    given.

    Raises InputError if offsets among them name rows that are not there: they are checked on the way, where that costs
    nothing.
    """
    status = getattr(library(), function)(*map(_argument, arguments))
    if status == _NOT_STORED:
        raise not_stored()
    if status == _SHORT_OF_MEMORY:
        raise MemoryError("the kernel could not get memory for the packed queries")


def not_stored() -> InputError:
    """Return what to raise for offsets that are no ascending numbers of rows."""
    return InputError(
        "the offsets of the items name rows that are not there; they must ascend from 0 to the number of rows"
    )


@cache
def _load() -> ctypes.CDLL | None:
    # Earlier versions named it after a Python version: theirs comes last.
    for path in sorted(Path(__file__).parent.glob("_kernel*.so"), key=lambda path: len(path.name)):
        try:
            loaded = ctypes.CDLL(str(path))
        except OSError:  # it is a library of another machine
            continue
        if not hasattr(loaded, "is_interface") or loaded.is_interface() != _INTERFACE:
            warnings.warn(
                f"{path} was built of other sources, so NumPy does its work, slower; install the package again",
                stacklevel=2,
            )
            continue
        loaded.is_path_name.restype = ctypes.c_char_p
        loaded.is_arithmetic_limit.restype = ctypes.c_double
        return loaded
    return None


@cache
def _built() -> tuple[str, ...]:
    """Return the names of the library's paths, in the order of their numbers."""
    names: list[str] = []
    while _load() is not None and (name := _load().is_path_name(len(names))):
        names.append(name.decode())
    return tuple(names)


def _argument(value):
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    return ctypes.c_int64(value) if isinstance(value, int) else value
