"""One process at a time: a lock on a file, which the kernel releases however its holder ends."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError

_POLL = 0.05  # seconds
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)  # what a file system without locks answers


class Held(InputError):
    """Another process, or another part of this one, has the lock; ``holder`` says who and since when."""

    def __init__(self, what: str | os.PathLike, holder: str):
        super().__init__(f"{what}: is being written by {holder}; try again when that has ended")
        self.holder = holder


class FileLock:
    """A lock that is held until :meth:`release`; made by :func:`take_lock`."""

    def __init__(self, descriptor: int, exclusive: bool, inherited: bool):
        self._descriptor, self._inherited = descriptor, inherited
        self.exclusive = exclusive  # False: a file system without locks, where everybody holds it

    def fileno(self) -> int:
        """Return the descriptor that holds it, to be passed to child processes."""
        return self._descriptor

    def release(self) -> None:
        """Let others in: at once, or with ``inherited`` as soon as no child process has the descriptor any more."""
        if not self._inherited:
            with suppress(OSError):  # a file system without locks refuses
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # closing is not enough where a forked child has it too
        os.close(self._descriptor)


def take_lock(
    path: Path, what: str | os.PathLike, wait: float = 0.0, inherited: bool = False, create: bool = True
) -> FileLock:
    """Hold the lock ``path``, a file that is made where it is missing and says who holds it.

    On a file system without locks everybody holds it.

    Args:
        what: the lock is on; names it in messages.
        wait: seconds to wait for another holder.
        inherited: child processes that are given the descriptor hold the lock too, after this process as well.
        create: make the file; without it a lock that is missing is an InputError.

    Raises:
        Held: another one still holds it after ``wait`` seconds.
        InputError: the file cannot be written.
    """
    until = time.monotonic() + wait
    try:
        while True:
            descriptor = _open(path) if create else os.open(path, os.O_RDWR)
            try:
                ours = _try(descriptor, path)
                if ours is not False:
                    _sign(descriptor)
                    return FileLock(descriptor, ours is True, inherited)
                if time.monotonic() >= until:
                    holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
                    raise Held(what, holder or "another process")
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
            time.sleep(_POLL)
    except OSError as error:
        raise InputError(f"{what}: cannot be written: {error.strerror}") from error


@contextmanager
def locked(path: Path, what: str | os.PathLike, wait: float = 0.0):
    """Hold a lock inside a ``with`` block; see :func:`take_lock`."""
    lock = take_lock(path, what, wait)
    try:
        yield
    finally:
        lock.release()


def _open(path: Path) -> int:
    while True:  # another process may remove a directory that is empty as yet
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)


def _try(descriptor: int, path: Path) -> bool | None:
    """Return whether the lock is ours now, and that of the file with this name: its last holder may have removed it.

    None on a file system without locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {now}\n".encode(), 0)
