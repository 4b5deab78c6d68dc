"""Imports point one way, and files stay small enough to read."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "inflate_shrink"
FOUNDATION, MODEL = ("data", "extract", "config", "errors", "atomic", "checked_files", "cpu", "kernel"), ("model", "losses", "scoring", "metrics")
USERS = ("benchmark", "cli", "report", "visualize")
HEAVY = {"paddle", "paddlenlp"}


def sources(*parts):
    """The Python files of the named modules and subpackages of inflate_shrink."""
    for part in parts:
        path = PACKAGE / part
        yield from path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]


def imports(path):
    """Every module that the file imports anywhere, by absolute name."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join((*package[: len(package) + 1 - node.level], node.module or "")).rstrip(".") if node.level else node.module
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def imported_parts(path):
    """The parts of inflate_shrink (data, model, ...) that the file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("inflate_shrink.")}


def test_imports_are_understood():
    assert {"data", "config", "errors", "model"} <= imported_parts(PACKAGE / "engine" / "checkpoint.py")  # relative
    assert "cli" in imported_parts(ROOT / "tools" / "train.py")  # absolute
    assert "engine" in imported_parts(ROOT / "tools" / "train.py")  # inside a function


@pytest.mark.parametrize(
    "parts, forbidden",
    [
        (FOUNDATION, {*MODEL, "engine", "released", "search", *USERS}),
        (("kernel",), {*FOUNDATION} - {"kernel", "errors"}),
        (MODEL, {"engine", "released", "search", *USERS}),
        (("data",), {"extract"}),
        (("engine", "released", "search"), {*USERS, "tools"}),
    ],
)
def test_imports_point_one_way(parts, forbidden):
    wrong = {str(path.relative_to(ROOT)): found for path in sources(*parts) if (found := imported_parts(path) & forbidden)}
    assert not wrong


def test_nothing_in_the_package_imports_the_tools():
    assert not [path for path in PACKAGE.rglob("*.py") if any(name.split(".")[0] == "tools" for name in imports(path))]


def test_help_is_instant_because_what_tools_import_first_is_light():
    parts = ("config", "errors", "atomic", "cpu", "cli", "metrics", "data", "extract", "kernel")
    light = [path for path in sources(*parts) if path.name != "networks.py"]  # imports it in a function
    assert not [path for path in light if {name.split(".")[0] for name in imports(path)} & HEAVY]


def test_line_limits():
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "tools").glob("*.py")]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    long = {str(path): n for path, n in lines.items() if n >= (200 if path.parent == PACKAGE / "model" else 350)}
    assert not long
