"""The user's text and JSON files, read with errors that say what is wrong and where."""

from __future__ import annotations

import json
import reprlib
from functools import partial
from pathlib import Path
from typing import Iterator

from ...errors import InputError
from ..bad_records import BadRecords

_KINDS = {str: "text", list: "a list", dict: "an object", int: "a whole number"}
LONGEST_LINE = 1 << 24  # bytes; a caption has some hundred
LARGEST_JSON = 1 << 30  # bytes; Karpathy's of COCO has 0.15 GB, and takes several times that in memory
_BOM = b"\xef\xbb\xbf"
_WIDTH = 80  # characters of a value in a message
_repr = reprlib.Repr()  # does not walk through all of a long or deep value
_repr.maxstring = _repr.maxother = _WIDTH


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield ``(line number from 1, line without its end)``; a byte order mark at the start is dropped.

    Raises:
        InputError: the file is missing, unreadable, empty or not UTF-8, or a line has more than LONGEST_LINE bytes.
    """
    line = 0
    try:
        with open(path, "rb") as file:  # lines end at \n only: captions may hold other Unicode line separators
            for line, raw in enumerate(iter(partial(file.readline, LONGEST_LINE + 1), b""), 1):
                if len(raw) > LONGEST_LINE:
                    raise InputError(
                        f"{path}: line {line}: more than the limit of {LONGEST_LINE} bytes a line; "
                        "is it a file of captions?"
                    )
                if line == 1 and raw.startswith(_BOM):
                    raw = raw[len(_BOM) :]
                yield line, raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line {line}: not UTF-8 ({error.reason}); convert the file to UTF-8") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if line == 0:
        raise _empty(path)


def read_json(path: Path) -> object:
    """Read a JSON file and return its content.

    Raises:
        InputError: the file is missing, unreadable, empty, not UTF-8 or not JSON, or has more than LARGEST_JSON bytes.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_JSON:
            raise InputError(
                f"{path}: {size} bytes, more than the limit of {LARGEST_JSON} of a JSON file; use jsonl, "
                "which is read line by line"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start}: not UTF-8 ({error.reason}); convert the file to UTF-8") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if not text.strip():
        raise _empty(path)
    try:
        return parse_json(text)
    except ValueError as error:
        raise InputError(f"{path}: {error}; the file is cut short or damaged: fetch or write it again") from None


def parse_json(text: str) -> object:
    """Parse JSON; raise ValueError, with a message that gives the position, for whatever cannot be read."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno} column {error.colno}: not valid JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        raise ValueError(f"not valid JSON ({type(error).__name__}: a number too long or too many brackets)") from None


def read_json_lists(path: Path, keys: tuple[str, ...], like: str) -> list[list]:
    """Return the lists under ``keys`` of a JSON object in a file; raise InputError, which mentions ``like``."""
    document = read_json(path)
    for key in keys:
        if not isinstance(document, dict) or not isinstance(document.get(key), list):
            found = ", ".join(map(shown, list(document)[:10])) if isinstance(document, dict) else shown(document)
            raise InputError(
                f"{path}: expected a JSON object whose key {key!r} is a list, as in {like}; found {found or 'no keys'}"
            )
    return [document[key] for key in keys]


def take(place: str, record: object, bad: BadRecords, **kinds: type | tuple[type, ...]) -> list | None:
    """Return the values of some keys; or None, after reporting, if one is missing or not of its type.

    ``place`` precedes the key in messages.
    """
    for key, kind in kinds.items():
        expected = " or ".join(_KINDS[one] for one in (kind if isinstance(kind, tuple) else (kind,)))
        if not isinstance(record, dict):
            bad.report(f"{place.rstrip('.: ')}: expected an object with the key {key!r}, found {shown(record)}")
        elif key not in record:
            bad.report(f"{place}{key}: missing, expected {expected}")
        elif not isinstance(record[key], kind) or isinstance(record[key], bool):
            bad.report(f"{place}{key}: expected {expected}, found {shown(record[key])}")
        else:
            continue
        return None
    return [record[key] for key in kinds]


def shown(value: object) -> str:
    """Return a value of the file for a message: short, on one line."""
    text = _repr.repr(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _unreadable(path: Path, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path}: no such file")
    if isinstance(error, IsADirectoryError):
        return InputError(f"{path}: is a directory, expected a file")
    return InputError(f"{path}: cannot be read: {error.strerror or error}")


def _empty(path: Path) -> InputError:
    return InputError(f"{path}: empty file")
