"""Imports point one way, files stay small enough to read, and what is public has a docstring."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "inflate_shrink"
BENCHMARK = ROOT / "tools" / "benchmark"
TESTS = ROOT / "tests"
# The parts of the package, lowest floor first: a part imports parts of lower floors and itself.
FLOORS = (
    {"errors", "cpu", "digest", "formatting", "lazy", "predictor", "signals", "terminal"},
    {"lock", "published"},
    {"atomic", "config", "json_values", "kernel", "metrics"},
    {"checked_files", "fitted", "weight_files"},
    {"data"},
    {"extract"},
    {"losses", "scoring"},
    {"model"},
    {"engine"},
    {"pipeline", "released", "search"},
    {"cli", "report", "visualize"},
    {"serve"},
    {"__init__", "commands"},
)
# What a part may start as a process though it is of no lower floor: the commands that a user would type.
STARTS = {"pipeline": {"commands"}}
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
            base = (
                ".".join((*package[: len(package) + 1 - node.level], node.module or "")).rstrip(".")
                if node.level
                else node.module
            )
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def imported_parts(path):
    """The parts of inflate_shrink (data, model, ...) that the file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("inflate_shrink.")}


def started(path):
    """Every module that the file starts as a process of its own, by ``-m``: its name, with * for what only the running program knows."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = {}
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.targets[0], ast.Name)
        ):
            known[node.targets[0].id] = node.value.value

    def text(node):
        if isinstance(node, ast.JoinedStr):
            return "".join(map(text, node.values))
        if isinstance(node, ast.FormattedValue):
            return text(node.value)
        return str(node.value if isinstance(node, ast.Constant) else known.get(getattr(node, "id", None), "*"))

    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)):
            items = [text(item) for item in node.elts]
            yield from (module for option, module in zip(items, items[1:]) if option == "-m")


def test_imports_are_understood():
    assert {"data", "config", "errors", "model"} <= imported_parts(PACKAGE / "engine" / "checkpoint.py")
    assert {"cli", "engine"} <= imported_parts(PACKAGE / "commands" / "train.py")  # engine inside a function
    assert set(started(PACKAGE / "pipeline" / "run.py")) == {
        "inflate_shrink.commands.*",
        "inflate_shrink.commands.measure",
    }
    assert set(started(BENCHMARK / "subcommands" / "data.py")) == {"inflate_shrink.commands.prepare_data"}


def test_every_part_has_a_floor():
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert sorted(part for floor in FLOORS for part in floor) == sorted(found)


@pytest.mark.parametrize("height", range(len(FLOORS)))
def test_imports_and_processes_point_one_way(height):
    lower = set().union(*FLOORS[:height])
    for part in FLOORS[height]:
        for path in sources(part):
            assert imported_parts(path) - lower <= {part}, path
            assert {
                module.split(".")[1] for module in started(path) if module.startswith("inflate_shrink.")
            } - lower <= {part} | STARTS.get(part, set()), path


def test_the_package_does_without_the_benchmarks():
    """They are in a clone alone, not in what is installed."""
    assert not [
        path
        for path in PACKAGE.rglob("*.py")
        if {name.split(".")[0] for name in imports(path)} & {"benchmark", "tools"}
    ]


def test_the_kernel_stands_alone():
    assert set().union(*map(imported_parts, sources("kernel"))) == {"kernel", "errors"}


def test_a_process_is_a_module_found_wherever_the_package_is_installed():
    """No script by a path that is only there in a checkout, such as tools/train.py."""
    for path in [*PACKAGE.rglob("*.py"), *BENCHMARK.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.List, ast.Tuple)) and [ast.unparse(item) for item in node.elts[:1]] == [
                "sys.executable"
            ]:
                how = [ast.unparse(item) for item in node.elts[1:]]
                assert how[0] == "'-m'" or "__file__" in "".join(how) or how[0].startswith("*"), f"{path}: {how}"


def test_a_tool_is_its_command():
    commands = sorted(path.stem for path in (PACKAGE / "commands").glob("*.py") if path.stem != "__init__")
    modules = {**{name: f"inflate_shrink.commands.{name}" for name in commands}, "benchmark": "benchmark.command"}
    assert {path.stem for path in (ROOT / "tools").glob("*.py")} == set(modules)
    for name, module in modules.items():
        lines = (ROOT / "tools" / f"{name}.py").read_text().splitlines()
        assert lines[1] == f"from {module} import main, run_tool" and len(lines) == 5


def test_help_is_instant_because_what_tools_import_first_is_light():
    parts = (
        "config",
        "errors",
        "atomic",
        "checked_files",
        "weight_files",
        "cpu",
        "cli",
        "metrics",
        "data",
        "extract",
        "kernel",
    )
    light = [path for path in sources(*parts) if path.name not in ("networks.py", "named.py")]  # import it in functions
    assert not [path for path in light if {name.split(".")[0] for name in imports(path)} & HEAVY]


def undocumented(node, name=""):
    """Yield the public functions and classes without a docstring, in a module or a class; ``forward`` is Paddle's."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, (ast.FunctionDef, ast.ClassDef)) and part.name[0] != "_" and part.name != "forward":
            if not ast.get_docstring(part):
                yield f"{name}{part.name}"
            if isinstance(part, ast.ClassDef):
                yield from undocumented(part, f"{part.name}.")


@pytest.mark.parametrize("folder", [PACKAGE, BENCHMARK], ids=["package", "benchmark"])
def test_what_is_public_has_a_docstring(folder):
    trees = {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")}
    assert len(trees) > 20
    assert [f"{path}: {name}" for path, tree in trees.items() for name in undocumented(tree)] == []


def test_line_limits():
    paths = [path for folder in (PACKAGE, BENCHMARK, TESTS) for path in folder.rglob("*.py")]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    long = {str(path): n for path, n in lines.items() if n >= (200 if path.parent == PACKAGE / "model" else 350)}
    assert not long


def test_the_page_names_the_floors():
    page = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    block = page.partition("## Imports point one way\n\n")[2].partition("\n\n")[0]
    floors = [{part.strip() for part in floor.split(",")} for floor in block.split("->")]
    assert floors == [{"tools"}, *(floor - {"__init__"} for floor in reversed(FLOORS))]


RUNS_CODE = {
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "paddle.load",
    "torch.load",
    "joblib.load",
    "yaml.unsafe_load",
    "yaml.full_load",
}


def test_no_file_is_opened_by_what_can_run_code():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                own = path.name == "parallel.py" and called == "pickle.loads"  # what its own worker processes send
                assert own or called not in RUNS_CODE and not called.endswith(".from_pretrained"), f"{path}: {called}"
                assert not any(
                    keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False" for keyword in node.keywords
                ), path
