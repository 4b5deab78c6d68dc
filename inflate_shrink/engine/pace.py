"""How long a run still takes, by an estimate that does not jump."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta

_STEADY = 10  # laps over which the seconds of an update are averaged


class Pace:
    """How fast updates are made and how long the rest takes; validations, of which so many are left, are timed apart."""

    def __init__(self, validations: int):
        self._left, self._done, self._per_validation = validations, 0, 0.0
        self._laps, self._per_update, self._updates, self._since = 0, 0.0, 0, time.monotonic()

    def update(self) -> None:
        """Count an update."""
        self._updates += 1

    def lap(self) -> float:
        """Return the seconds of an update since the last call, without validations."""
        seconds = (time.monotonic() - self._since) / self._updates
        self._laps += 1
        # The first lap holds what happens once, so the second takes its place; then all count alike, later ones wane.
        self._per_update += (seconds - self._per_update) / min(max(self._laps - 1, 1), _STEADY)
        self._updates, self._since = 0, time.monotonic()
        return seconds

    @contextmanager
    def validation(self):
        """Time a validation inside a ``with`` block."""
        start = time.monotonic()
        yield
        seconds = time.monotonic() - start
        self._since += seconds
        self._left, self._done = self._left - 1, self._done + 1
        self._per_validation += (seconds - self._per_validation) / self._done

    def eta(self, updates: int) -> str:
        """Return the time of so many updates and the validations that are left, whose number is told while none has
        been timed.

        >>> Pace(validations=3).eta(updates=0)
        '0:00:00 + 3 validations'
        """
        seconds = updates * self._per_update + self._left * self._per_validation
        untimed = f" + {self._left} validation{'s' * (self._left > 1)}" if self._left and not self._done else ""
        return f"{timedelta(seconds=round(seconds))}{untimed}"
