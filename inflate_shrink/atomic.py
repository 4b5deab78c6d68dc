"""Files and directories that appear whole or not at all."""

from __future__ import annotations

import glob
import json
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError
from .lock import locked, take_lock

_LOCK = "lock"


def require_new(path: str | os.PathLike) -> None:
    """Raise InputError if something is at ``path`` already, be it a broken link: nothing is replaced.

    What a process that was killed right after it had made it left beside is removed.
    """
    if os.path.lexists(path):
        remove_leftovers(Path(path))
        raise InputError(f"{path}: already exists and is not replaced; remove it or choose another directory")


@contextmanager
def atomic_path(path: str | os.PathLike):
    """Yield a temporary place beside ``path``; on success fsync what is there and rename it to ``path``.

    The body may create a file, a directory or a symbolic link there. On any exception it
    is removed and ``path`` is as it was. A full disk or a missing permission becomes
    an :class:`InputError` that names ``path``. What a process left that was killed is
    removed when the same path is written again. Several may write it at once: the last one stays.

    A directory that already exists at ``path`` is not replaced (rename(2) cannot do
    it atomically): choose a fresh name for each version instead.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _staging(path) as place:
            temporary = place / path.name
            yield temporary
            fsync_tree(temporary)
            os.replace(temporary, path)
            fsync(path.parent)
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"{path}: cannot be written: {why}; what was there before is untouched") from error


def write_json(path: str | os.PathLike, value) -> None:
    """Write ``value`` as JSON; the file appears whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def atomic_symlink(target: str, link: Path) -> None:
    """Point the symbolic link ``link`` at ``target`` (relative), replacing an older link atomically."""
    with atomic_path(link) as temporary:
        os.symlink(target, temporary)


def fsync_tree(path: Path) -> None:
    """Have a file, or a directory with all that is in it, on disk when this returns."""
    if path.is_symlink():
        return  # its directory holds it
    if path.is_dir():
        for child in path.iterdir():
            fsync_tree(child)
    fsync(path)


def fsync(path: Path) -> None:
    """Flush a file or a directory to disk; raises OSError where the system cannot."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, a symbolic link or a directory with all that is in it, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists() or path.is_symlink():
        path.unlink()


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left beside ``path``: the staging directories that nobody uses."""
    for place in path.parent.glob(f".{glob.escape(path.name)}.tmp-*"):
        owner = place.name.rpartition(".tmp-")[2]
        if owner.isdecimal():  # an earlier version wrote a process, and no lock
            if not _is_running(int(owner)):
                remove(place)
            continue
        with suppress(InputError):  # it is in use, another user's, or without a lock as yet
            lock = take_lock(place / _LOCK, path, create=False)
            if lock.exclusive:
                shutil.rmtree(place, ignore_errors=True)
            lock.release()
        with suppress(OSError):
            place.rmdir()  # if it is empty: its process was killed before it had a lock, or makes it again


@contextmanager
def _staging(path: Path):
    """Yield a new directory beside ``path`` for what becomes it; its lock tells whether its process is alive."""
    remove_leftovers(path)
    place = path.with_name(f".{path.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")
    place.mkdir()
    try:
        with locked(place / _LOCK, path, wait=60.0):  # waits only while another process asks whether this is left over
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _is_running(process: int) -> bool:
    """Return whether another process of this machine has the number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return process != os.getpid()
