"""Milliseconds of a call, repeated."""

from __future__ import annotations

import time
from statistics import median
from typing import Callable, Sequence


def milliseconds(call: Callable[[], object], repeats: int, seconds: float = float("inf")) -> list[float]:
    """Measure at most ``repeats`` calls, at least one, none begun after ``seconds``."""
    times: list[float] = []
    begin = time.perf_counter()
    while not times or (len(times) < repeats and time.perf_counter() - begin < seconds):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return times


def best_and_median(times: Sequence[float]) -> dict:
    """Return ``ms``, the least, which other work on the machine disturbed least, and ``median_ms``."""
    return {"ms": min(times), "median_ms": median(times), "calls": len(times)}
