"""Numbers of a run by its updates, for curves: RUN/scalars.jsonl, and the same as records of VisualDL.

A line is a JSON mapping: ``step`` (updates done), ``epoch`` (from 1), ``time`` (seconds since 1970), and what was
measured there: every ``run.log_steps`` the loss and the pace, after a validation the recalls.
"""

from __future__ import annotations

import json
import math
import time
from contextlib import contextmanager
from pathlib import Path

from ..atomic import atomic_path, remove
from ..errors import InputError

SCALARS = "scalars.jsonl"
VISUALDL = "visualdl"  # the directory of its records, beside SCALARS
_WHERE = ("step", "epoch", "time")


class Scalars:
    """Writes RUN/scalars.jsonl, and with ``visualdl`` RUN/visualdl; raises InputError if that is not installed."""

    def __init__(self, run_dir: Path, visualdl: bool = False):
        self.path, self._records, self._writer = run_dir / SCALARS, run_dir / VISUALDL, None
        self._open_writer = _log_writer() if visualdl else None

    def start(self, done: int) -> None:
        """Go on after ``done`` updates: what is written of later ones, which are made again, goes.

        Raises InputError if the files cannot be read or written.
        """
        with _one_line(self.path):
            self._start(done)

    def _start(self, done: int) -> None:
        written = self.path.read_bytes() if self.path.exists() else b""
        lines = [(line, _parse(line)) for line in written.splitlines(keepends=True)]
        kept = [(line, values) for line, values in lines if values and 0 < values["step"] <= done]
        if len(kept) < len(lines):
            with atomic_path(self.path) as temporary:
                temporary.write_bytes(b"".join(line for line, _ in kept))
        if self._open_writer:  # its records cannot be cut: they are made anew
            remove(self._records)
            self._writer = self._open_writer(str(self._records), file_name="vdlrecords.scalars.log")
            for _, values in kept:
                self._record(values)

    def write(self, step: int, epoch: int, **numbers: float | None) -> None:
        """Write a line; numbers that are None or not finite are left out. Raises InputError if there is no room."""
        known = {name: number for name, number in numbers.items() if number is not None and math.isfinite(number)}
        values = {"step": step, "epoch": epoch, "time": round(time.time(), 1), **known}
        with _one_line(self.path):
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")
            self._record(values)

    def close(self) -> None:
        """Close the records of VisualDL."""
        if self._writer:
            self._writer.close()

    def _record(self, values: dict) -> None:
        if self._writer:
            for name, number in values.items():
                if name not in _WHERE:
                    self._writer.add_scalar(name, number, values["step"], round(1000 * values["time"]))
            self._writer.flush()


def read_scalars(run_dir: Path) -> list[dict[str, float]]:
    """Read the lines of RUN/scalars.jsonl; one that is just being written is left out.

    Raises InputError if there is no such file, or for a line that is damaged.
    """
    path = run_dir / SCALARS
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the directory of a run, which a training fills") from None
    found = [_parse(line) for line in lines if line.endswith(b"\n")]
    if None in found:
        expected = "expected a JSON mapping of numbers, with step, epoch and time"
        raise InputError(f"{path}, line {found.index(None) + 1}: {expected}; it is damaged, remove the line")
    return found


@contextmanager
def _one_line(path: Path):
    """Turn an OSError of the block into an InputError that names the file."""
    try:
        yield
    except OSError as error:
        way = "make room or choose another run.dir"
        raise InputError(f"{error.filename or path}: cannot be written: {error.strerror}; {way}") from None


def _parse(line: bytes) -> dict[str, float] | None:
    """Return the numbers of a whole line; None if it is none."""
    try:
        values = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not set(_WHERE) <= set(values):
        return None
    numbers = all(type(value) in (int, float) and abs(value) < 1e300 for value in values.values())
    return values if numbers and type(values["step"]) is int else None


def _log_writer():
    try:
        from visualdl import LogWriter
    except ImportError:
        way = "pip install visualdl, or leave it out: scalars.jsonl has the same numbers"
        raise InputError(f"run.visualdl: VisualDL is not installed; {way}") from None
    return LogWriter
