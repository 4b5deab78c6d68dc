"""Files and directories that appear whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError


@contextmanager
def atomic_path(path: str | os.PathLike):
    """Yield a temporary sibling of ``path``; on success fsync it and rename it to ``path``.

    The body may create a file or a directory there. On any exception the temporary
    is removed and ``path`` is as it was. A full disk or a missing permission becomes
    an :class:`InputError` that names ``path``.

    A directory that already exists at ``path`` is not replaced (rename(2) cannot do
    it atomically): choose a fresh name for each version instead.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    _remove(temporary)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        fsync_tree(temporary)
        os.replace(temporary, path)
        fsync(path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}; what was there before is untouched") from error
    finally:
        _remove(temporary)


def write_json(path: str | os.PathLike, value) -> None:
    """Write ``value`` as JSON; the file appears whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def atomic_symlink(target: str, link: Path) -> None:
    """Point the symbolic link ``link`` at ``target`` (relative), replacing an older link atomically."""
    with_name = link.with_name(f".{link.name}.tmp-{os.getpid()}")
    _remove(with_name)
    os.symlink(target, with_name)
    os.replace(with_name, link)
    fsync(link.parent)


def fsync_tree(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            fsync_tree(child)
    fsync(path)


def fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists() or path.is_symlink():
        path.unlink()
