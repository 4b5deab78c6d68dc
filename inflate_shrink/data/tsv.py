"""Tab-separated UTF-8 text with a header line: no quoting, a field holds neither tab nor newline."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from ..errors import InputError


def read_rows(path: Path, header: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line number from 1, fields)`` of every line after the header.

    Raises:
        InputError: the header differs, a line has another number of fields, or the text is not UTF-8.
    """
    line = 0
    try:
        # newline="\n": captions may hold other Unicode line separators
        with open(path, encoding="utf-8", newline="\n") as file:
            for line, text in enumerate(file, 1):
                fields = text.rstrip("\r\n").split("\t")
                if line == 1:
                    if tuple(fields) != header:
                        raise InputError(f"{path}: line 1: expected the header {_show(header)}, found {_show(fields)}")
                    continue
                if len(fields) != len(header):
                    raise InputError(
                        f"{path}: line {line}: expected {len(header)} tab-separated fields ({_show(header)}), "
                        f"found {len(fields)}"
                    )
                yield line, fields
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: after line {line}: not UTF-8 ({error.reason}); convert the file to UTF-8") from error
    if line == 0:
        raise InputError(f"{path}: empty file, expected the header {_show(header)}")


def format_row(fields: tuple) -> str:
    """Return one line with its newline; raise InputError if a field holds a tab or a newline."""
    texts = [str(field) for field in fields]
    for text in texts:
        if any(separator in text for separator in "\t\n\r"):
            raise InputError(f"{text!r} holds a tab or a newline, which a table cannot store; replace them by spaces")
    return "\t".join(texts) + "\n"


def _show(fields) -> str:
    return " ".join(fields)[:100]
