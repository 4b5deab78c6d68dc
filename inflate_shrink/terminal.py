"""Text from files and users on its way to a terminal: names, ids and captions may hold what would command it."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from contextlib import contextmanager, redirect_stderr, redirect_stdout

# Control characters, halves of characters (of file names that are not UTF-8), and what ends a line.
_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
# What turns the order of the characters that follow: with it a name may read as another.
_BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

_TOOL = re.compile(r"(?:python )?tools/(\w+)\.py")


def printable(text: object) -> str:
    r"""Return ``text`` as one line that commands nothing: what would is shown as an escape, such as \x1b."""
    return "".join(each if _is_harmless(each) else each.encode("unicode_escape").decode() for each in str(text))


def say(text: object, file=None, flush: bool = False) -> None:
    """Print the lines of ``text``, to standard output or ``file``, each :func:`printable`."""
    print("\n".join(map(printable, str(text).split("\n"))), file=file or sys.stdout, flush=flush)


def as_called(text: str) -> str:
    """Name commands as the user called this one: where the package is installed without tools/, inflate-shrink NAME."""
    return _TOOL.sub(r"inflate-shrink \1", text) if sys.argv[0].startswith("inflate-shrink ") else text


@contextmanager
def output_in(log):
    """Write all that is printed to the text file ``log``, also what the libraries under Paddle print past Python."""
    sys.stdout.flush()
    kept = [os.dup(number) for number in (1, 2)]
    for number in (1, 2):
        os.dup2(log.fileno(), number)
    try:
        with redirect_stdout(log), redirect_stderr(log):
            yield
    finally:
        for number, copy in zip((1, 2), kept):
            os.dup2(copy, number)
            os.close(copy)


def _is_harmless(character: str) -> bool:
    if character.isprintable():
        return True
    return unicodedata.category(character) not in _CATEGORIES and unicodedata.bidirectional(character) not in _BIDI
