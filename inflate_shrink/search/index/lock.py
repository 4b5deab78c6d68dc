"""One writer at a time."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

from ...errors import InputError

_POLL = 0.05  # seconds


def take_lock(directory: Path, wait: float) -> int:
    """Hold the writers' lock of an index until :func:`release_lock`, or until the process ends, however it does.

    Raises:
        InputError: another writer still holds it after ``wait`` seconds, or the directory is read-only.
    """
    try:
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(f"{directory}: cannot be written: {error.strerror}") from None
    try:
        _wait(directory, lock, time.monotonic() + wait)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode(), 0)
    except OSError as error:
        os.close(lock)
        raise InputError(f"{directory / 'lock'}: cannot be written: {error.strerror}") from None
    except BaseException:
        os.close(lock)
        raise
    return lock


def release_lock(lock: int) -> None:
    fcntl.flock(lock, fcntl.LOCK_UN)  # closing is not enough where a child process has the descriptor too
    os.close(lock)


def _wait(directory: Path, lock: int, until: float) -> None:
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                holder = os.pread(lock, 200, 0).decode("utf-8", "replace").strip() or "another process"
                raise InputError(f"{directory}: is being written by {holder}; try again when that has ended") from None
            time.sleep(_POLL)
