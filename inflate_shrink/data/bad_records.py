"""What happens to a record of the user's data that cannot be used."""

from __future__ import annotations

import sys

from tqdm import tqdm

from ..errors import InputError
from ..terminal import printable

LISTED = 20  # bad records that have a line each


class BadRecords:
    """Stop at the first bad record, or note it and go on.

    Readers call :meth:`report` with one line that names file and line (or key), what was
    expected and what to do, and then leave the record out.

    Args:
        skip: go on.
        hint: added to the error when not skipping: how to go on.
    """

    def __init__(self, skip: bool = False, hint: str = "--skip-bad leaves such records out"):
        self.skip, self.hint, self.count = skip, hint, 0

    def report(self, message: object) -> None:
        """Raise InputError(message); or, when skipping, count it, and print it if it is of the first LISTED."""
        if not self.skip:
            raise InputError(f"{message} ({self.hint})")
        self.count += 1
        if self.count <= LISTED:
            tqdm.write(printable(f"skipped: {' '.join(str(message).split())}"), file=sys.stderr)
        elif self.count == LISTED + 1:
            tqdm.write(f"skipped: more than {LISTED} records; the others are only counted", file=sys.stderr)
