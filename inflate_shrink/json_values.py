"""Values of JSON files that anyone may have made: each key and type is checked before the value is used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from .errors import InputError, in_one_line

MOST = 2**63 - 1
_SHOWN = 60  # characters of what was found


class JsonMapping:
    """A mapping whose values are checked as they are asked for.

    Every method that is given a key raises InputError, one line with the file, the key, what was expected and found, if
    there is no such key or its value is another.

    Args:
        value: as json.loads gives it.
        path: of the file.
        again: what to do about a damaged one.
        where: keys that lead to it, for the message.

    Attributes:
        value: the mapping itself.
    """

    def __init__(self, value, path: Path, again: str = "copy or build it again", where: str = ""):
        self._path, self._again, self._where = path, again, where
        if not isinstance(value, dict):
            raise self._wrong("", "a mapping", value)
        self.value = value

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def __iter__(self) -> Iterator[str]:
        return iter(self.value)

    def only(self, *keys: str) -> JsonMapping:
        """Return itself, if it has no key but these."""
        for key in self.value:
            if key not in keys:
                raise self.damaged(key, f"an unknown key; expected {', '.join(keys)}")
        return self

    def get(self, key: str):
        """Return what has this key, whatever it is."""
        if key not in self.value:
            raise self.damaged(key, "it is missing")
        return self.value[key]

    def mapping(self, key: str) -> JsonMapping:
        """Return the mapping that has this key."""
        return JsonMapping(self.get(key), self._path, self._again, self._at(key))

    def mappings(self, key: str) -> list[JsonMapping]:
        """Return the mappings of a list."""
        values = self.get(key)
        if not isinstance(values, list):
            raise self._wrong(key, "a list", values)
        places = (f"{self._at(key)}[{number}]" for number in range(len(values)))
        return [JsonMapping(value, self._path, self._again, place) for value, place in zip(values, places)]

    def whole(self, key: str, least: int = 0, most: int = MOST) -> int:
        """Return a whole number from ``least`` to ``most``."""
        value = self.get(key)
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(key, f"a whole number from {least}" + (f" to {most}" if most < MOST else ""), value)
        return value

    def flag(self, key: str) -> bool:
        """Return whether it is true; a key that is missing is not."""
        value = self.value.get(key, False)
        if type(value) is not bool:
            raise self._wrong(key, "true or false", value)
        return value

    def fraction(self, key: str) -> float:
        """Return a number above 0 and 1 at most; a key that is missing is 1."""
        value = self.value.get(key, 1.0)
        if type(value) not in (int, float) or not 0 < value <= 1:
            raise self._wrong(key, "a number above 0 and 1 at most", value)
        return float(value)

    def text(self, key: str, among: tuple[str, ...] = ()) -> str:
        """Return text that can be written as UTF-8, one of ``among`` if that is given."""
        value = self.get(key)
        if not isinstance(value, str) or not _is_unicode(value) or among and value not in among:
            raise self._wrong(key, " or ".join(map(repr, among)) or "a text", value)
        return value

    def values(self, *keys: str) -> dict[str, str | int]:
        """Return what has these keys; each is a text or a whole number."""
        for key in keys:
            if type(self.get(key)) is not int:
                self.text(key)
        return {key: self.value[key] for key in keys}

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of finite numbers."""
        values = self.get(key)
        if not isinstance(values, list) or not all(map(_is_finite, values)):
            raise self._wrong(key, "a list of finite numbers", values)
        return tuple(map(float, values))

    def damaged(self, key: str, reason: str) -> InputError:
        """Return what to raise of a key for any other reason."""
        return InputError(f"{self._path}: {self._at(key)}: {reason}; it is damaged, {self._again}")

    def _wrong(self, key: str, expected: str, found) -> InputError:
        shown = ascii(found)
        return self.damaged(
            key, f"expected {expected}, found {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '...'}"
        )

    def _at(self, key: str) -> str:
        shown = key if key.isprintable() and _is_unicode(key) else ascii(key)
        return ".".join(filter(None, (self._where, shown))) or "its content"


def parse_json(data: bytes, path: Path, again: str = "copy or build it again") -> JsonMapping:
    """Return the mapping that a file holds; raises InputError if it is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON ({in_one_line(error)}); it is damaged, {again}") from None
    return JsonMapping(value, path, again)


def _is_finite(value) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300


def _is_unicode(text: str) -> bool:
    """Return whether a text can be written: JSON may hold halves of characters."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
