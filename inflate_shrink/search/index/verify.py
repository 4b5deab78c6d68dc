"""Read a whole index and compare it with its checksums."""

from __future__ import annotations

import os
from pathlib import Path

from .manifest import Manifest, at_latest, check_files


def verify_index(directory: str | os.PathLike) -> None:
    """Read every file of the latest commit.

    Raises:
        InputError: names the file that is missing or damaged, if only by one bit; the manifest too.
    """
    directory = Path(directory)

    def verify(manifest: Manifest) -> None:
        check_files(directory, manifest.files, contents=True)
        for entry in manifest.segments:
            check_files(directory, entry.files, contents=True)

    at_latest(directory, verify)
