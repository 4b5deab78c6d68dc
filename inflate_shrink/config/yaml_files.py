"""YAML that others wrote: whatever is wrong with it is one InputError."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import yaml

from ..errors import InputError, in_one_line, nearest

# Beside the package in a clone, in it where it is installed (setup.py).
_PACKAGED = (Path(__file__).parents[1] / "configs", Path(__file__).parents[2] / "configs")
LONGEST_NAME = 255  # bytes of a part of a path, as file systems have it
_LONGEST_TEXT = 4000


def is_name(text: str) -> bool:
    """Return whether a text can be printed in a line and be the path of a file."""
    printable = not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)
    if not printable or len(text) > _LONGEST_TEXT:
        return False
    return all(len(part.encode()) <= LONGEST_NAME for part in text.split("/"))


def config_path(path: Path) -> Path:
    """Return where a path is; one in ``configs`` is in the package's own where there is no such folder here."""
    if path.parts[:1] != ("configs",) or Path("configs").exists():
        return path
    packaged = next(folder for folder in _PACKAGED if folder.is_dir())
    return packaged.joinpath(*path.parts[1:])


class _Loader(yaml.SafeLoader):
    """Plain YAML: a date is text, and a key that stands twice is an error and not its last value."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            problem = f"the key '{twice[:100]}' stands twice"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str, source: str):
    """Return the value of YAML text; ``source`` is for messages. Raises InputError, naming the line, if it is none."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError:
        raise InputError(f"{source[:200]}: not valid YAML: nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or in_one_line(error)
        raise InputError(f"{source[:200]}: not valid YAML{where}: {problem}") from None
    except Exception as error:  # PyYAML lets through whatever int(), float() and dict() raise
        raise InputError(f"{source[:200]}: not valid YAML: a value that cannot be read: {in_one_line(error)}") from None


def read_yaml(path: Path, asked_by: str = "") -> dict:
    """Return the mapping in a YAML file, {} if it is empty.

    Raises InputError if there is no such file, saying what is near it and who ``asked_by`` for it, or if it
    cannot be read or holds no mapping.
    """
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: no such config file{asked_by}{_near(path)}") from None
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a name with a NUL
        raise InputError(f"{path}: cannot be read as a YAML file: {error}") from None
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping of sections to keys, found {type(values).__name__}")
    return values


def _near(path: Path) -> str:
    """Return what the user may have meant by a file that is missing, as the end of a message."""
    collection = Path(f"{path.parent}.yaml")
    if collection.is_file():
        return f"; without a file of its own it is a name: {collection}:{path.stem}"
    names = [found.name for found in path.parent.glob("*.y*ml")]
    if names:
        return f"; there is {path.parent / nearest(path.name, names)}"
    return f"; {path.parent} holds no YAML file"
