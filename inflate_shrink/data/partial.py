"""A directory that is filled over several calls and appears at its place when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path

from ..atomic import fsync, fsync_tree, require_new
from ..errors import InputError
from ..lock import locked


def require_unmade(target: Path) -> None:
    """Raise InputError if something is at ``target`` already; what its maker, killed at the very end, left beside it is
    removed."""
    partial = _beside(target)
    if os.path.lexists(target) and partial.is_dir() and not (partial / "content").exists():
        with suppress(OSError, InputError), locked(partial / "lock", target):  # another process may be just about to
            _clear(partial)
    require_new(target)


@contextmanager
def partial_path(target: Path, settings: dict):
    """Yield a directory to fill; on success fsync it and rename it to ``target``, which must not exist.

    It lies beside the target, as ``.NAME.partial/content``, with ``.NAME.partial/settings.json``. What the
    body leaves there stays when it ends early: killed, interrupted, by a full disk or by any error but an
    InputError. The same ``settings`` find it again, others begin with an empty directory. An InputError of
    the body means that the data are bad, and removes it, unless an OSError is its cause.

    Args:
        settings: what the content depends on, as JSON has it.

    Raises:
        InputError: another process fills it now, or an OSError of the body or of this function, which it names.
    """
    partial = _beside(target)
    content = partial / "content"
    try:
        with locked(partial / "lock", target):
            try:
                require_new(target)  # the process that held the lock just now may have made it
                _begin(partial, content, settings)
                yield content
                fsync_tree(content)
                os.replace(content, target)
            except InputError as error:
                if not isinstance(error.__cause__, OSError):
                    _clear(partial)
                raise
            _clear(partial)
        fsync(target.parent)
    except OSError as error:
        ours = error.filename is None or str(partial) in str(error.filename)
        raise InputError(
            f"{target}: {'cannot be written' if ours else error.filename}: {error.strerror or error};"
            " what was written so far is kept, the same call goes on from there"
        ) from error


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _begin(partial: Path, content: Path, settings: dict) -> None:
    """Leave ``content`` as it is if it was begun with the same settings, else empty."""
    path, text = partial / "settings.json", json.dumps(settings, indent=2, sort_keys=True)
    try:
        same = path.read_text(encoding="utf-8") == text
    except (FileNotFoundError, ValueError):
        same = False
    if not (same and content.is_dir()):
        _empty(partial)
        content.mkdir()
        path.write_text(text, encoding="utf-8")


def _empty(partial: Path) -> None:
    """Remove all but the lock."""
    (partial / "settings.json").unlink(missing_ok=True)  # goes first: settings promise content
    for path in partial.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "lock":
            path.unlink()


def _clear(partial: Path) -> None:
    _empty(partial)
    (partial / "lock").unlink(missing_ok=True)  # goes last: from here on another process may begin
    try:
        partial.rmdir()
    except OSError:
        pass  # it has begun
