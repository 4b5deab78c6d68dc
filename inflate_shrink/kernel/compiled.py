"""The compiled kernel, found beside this file; setup.py builds it of ``csrc/``."""

from __future__ import annotations

import ctypes
import os
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import InputError

NUMPY = "numpy"  # the path that needs no library
_SHORT_OF_MEMORY = -1
_INTERFACE = 1  # is_interface of csrc/library.h


@lru_cache(maxsize=None)
def library() -> ctypes.CDLL | None:
    """The library, or None if it was not built here."""
    for path in sorted(Path(__file__).parent.glob("_kernel*.so")):
        try:
            loaded = ctypes.CDLL(str(path))
        except OSError:  # of another machine
            continue
        if not hasattr(loaded, "is_interface") or loaded.is_interface() != _INTERFACE:
            warnings.warn(f"{path} was built of other sources, so NumPy does its work, slower; install the package again", stacklevel=2)
            continue
        loaded.is_path_name.restype = ctypes.c_char_p
        loaded.is_arithmetic_limit.restype = ctypes.c_double
        return loaded
    return None


@lru_cache(maxsize=None)
def paths() -> tuple[str, ...]:
    """The ways to compute that this machine has, the best first: instruction sets of the library, then "numpy"."""
    names: list[str] = []
    while library() is not None and (name := library().is_path_name(len(names))):
        names.append(name.decode())
    return (*names, NUMPY)


def path_number(path: str) -> int | None:
    """The library's number of a path, "" for the best; None: NumPy. Raises InputError if this machine lacks it."""
    path = path or paths()[0]
    if path not in paths():
        raise InputError(f"{path!r} is no way to compute here; this machine has {', '.join(paths())}")
    return None if path == NUMPY else paths().index(path)


def thread_count(threads: int) -> int:
    """``threads``, or for 0 the cores this process may use. Raises InputError if negative."""
    if threads < 0:
        raise InputError(f"threads must be 0 (all cores) or more, found {threads}")
    return threads or len(os.sched_getaffinity(0))


def call(function: str, *arguments) -> None:
    """Call a function of the library; arrays go as pointers (None: null), integers as 64-bit or int by ``ctypes`` type given."""
    if getattr(library(), function)(*map(_argument, arguments)) == _SHORT_OF_MEMORY:
        raise MemoryError("the kernel could not get memory for the packed queries")


def _argument(value):
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    return ctypes.c_int64(value) if isinstance(value, int) else value
