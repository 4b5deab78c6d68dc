"""What files and values are told apart by: the first digits of a SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Iterable

DIGITS = 16  # hexadecimal, in names and fingerprints
_CHUNK = 1 << 20  # bytes read at once


def hex_digest(parts: Iterable[bytes | Path], digits: int = DIGITS) -> str:
    """Return the first hexadecimal digits of the SHA-256 of bytes and of the contents of files, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with open(part, "rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        else:
            digest.update(part)
    return digest.hexdigest()[:digits]
