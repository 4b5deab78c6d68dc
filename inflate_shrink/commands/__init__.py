"""The commands, a module each: ``inflate-shrink NAME``, ``python tools/NAME.py``, ``-m inflate_shrink.commands.NAME``.

A command's docstring is its help, the first line its summary.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
from pathlib import Path

from ..cli import run_tool
from ..errors import InputError, nearest


def main() -> None:
    """Run ``inflate-shrink NAME ...`` and exit the process."""
    run_tool(_run_named)


def names() -> list[str]:
    """Return the names of all commands."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def summary(name: str) -> str:
    """Return the first line of a command's help; the command is not imported."""
    source = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def _run_named(argv: list[str]) -> None:
    name, *arguments = argv or ["--help"]
    if name in ("-h", "--help"):
        lines = [f"  {known:<17} {summary(known)}" for known in names()]
        print(
            "\n".join(["usage: inflate-shrink COMMAND ...", "", *lines, "", "inflate-shrink COMMAND --help says more."])
        )
        return
    if name not in names():
        near = nearest(name, names())
        raise InputError(f"{name}: no such command; the nearest is '{near}', and inflate-shrink --help lists all")
    sys.argv[0] = f"inflate-shrink {name}"  # what usage lines begin with
    importlib.import_module(f".{name}", __name__).main(arguments)
