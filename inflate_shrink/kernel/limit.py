"""The most that a machine's multiply-add gives, against which the kernel is measured."""

from __future__ import annotations

import ctypes

from ..errors import InputError
from .compiled import library, path_number, thread_count
from .stored import PRECISIONS


def arithmetic_limit(precision: str, threads: int = 0, seconds: float = 0.5, path: str = "") -> float:
    """Measure the operations per second (2 for each product) of the kernel's multiply-add alone, in registers; the best
    of about ``seconds``.

    Raises:
        InputError: there is no library here, or no such precision, path or number of threads, or ``seconds`` are not
            above 0 and at most 60.
    """
    if precision not in PRECISIONS:
        raise InputError(f"the precision is one of {', '.join(PRECISIONS)}, found {precision!r}")
    if not 0 < seconds <= 60:
        raise InputError(f"seconds must be above 0 and at most 60, found {seconds}")
    number, threads = path_number(path), thread_count(threads)
    if number is None:
        raise InputError("NumPy has no arithmetic limit to measure; build the kernel (pip install -e . with g++ there)")
    precision_number, count = ctypes.c_int(PRECISIONS.index(precision)), ctypes.c_int(threads)
    return library().is_arithmetic_limit(ctypes.c_int(number), precision_number, count, ctypes.c_double(seconds))
