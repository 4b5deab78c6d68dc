"""Lists of ids, one a line."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError


def read_ids(path: str | os.PathLike) -> list[str]:
    """Read the lines of a list; raises InputError if it cannot be read or is empty."""
    try:
        ids = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: not a readable list of ids, one a line ({getattr(error, 'strerror', None) or error})"
        ) from None
    if not ids:
        raise InputError(f"{path}: holds no ids; expected one a line")
    return ids
