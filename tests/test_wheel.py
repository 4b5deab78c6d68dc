"""The wheel has in it what an installed package needs, and the package in it works outside a clone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_PYTHON = {".html", ".css", ".js", ".svg", ".yaml", ".cu", ".cuh", ".typed"}
USE = """
import os, sys
import inflate_shrink.commands, inflate_shrink.kernel
print(os.path.dirname(inflate_shrink.__file__), *inflate_shrink.kernel.paths())
sys.argv = ["inflate-shrink", "train", "-c", "configs/demo.yaml:I-B", "--show"]
inflate_shrink.commands.main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this clone; its kernel is the one that was compiled here."""
    place = tmp_path_factory.mktemp("wheel")
    build = place / "lib"
    steps = [
        ["egg_info", "--egg-base", place, "build_py", "--build-lib", build],
        ["egg_info", "--egg-base", place, "build", "--build-base", place, "--build-lib", build, "bdist_wheel",
         "--skip-build", "--bdist-dir", place / "tree", "--dist-dir", place],
    ]  # fmt: skip
    for step in steps:
        for kernel in build.glob("inflate_shrink/kernel") if "bdist_wheel" in step else []:
            (kernel / "_kernel.so").write_bytes(newest_kernel().read_bytes())
        run = subprocess.run(
            [sys.executable, "setup.py", "-q", *map(str, step)], cwd=ROOT, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
    (path,) = place.glob("*.whl")
    return path


def newest_kernel():
    """The compiled kernel of this clone."""
    built = sorted((ROOT / "inflate_shrink" / "kernel").glob("_kernel*.so"), key=lambda path: len(path.name))
    if not built:
        pytest.skip("the kernel was not compiled here")
    return built[0]


def test_it_has_every_file_of_the_package(wheel):
    package = ROOT / "inflate_shrink"
    files = {path for path in package.rglob("*") if path.suffix in {".py", *NOT_PYTHON} and path.is_file()}
    expected = {path.relative_to(ROOT).as_posix() for path in files}
    expected |= {f"inflate_shrink/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "configs").rglob("*.yaml")}
    found = set(zipfile.ZipFile(wheel).namelist())
    assert len(expected) > 300 and expected - found == set()
    extra = {name for name in found - expected if ".dist-info/" not in name}
    assert extra == {"inflate_shrink/kernel/_kernel.so"}


def test_it_is_of_one_machine_and_every_python(wheel):
    name, version, *tags = wheel.stem.split("-")
    assert tags[:2] == ["py3", "none"] and tags[2] not in ("any", "")
    with zipfile.ZipFile(wheel) as archive:
        info = f"{name}-{version}.dist-info"
        assert "inflate-shrink = inflate_shrink.commands:main" in archive.read(f"{info}/entry_points.txt").decode()
        wheel_says, metadata = (archive.read(f"{info}/{part}").decode() for part in ("WHEEL", "METADATA"))
    assert "Root-Is-Purelib: false" in wheel_says and f"Tag: {'-'.join(tags)}" in wheel_says
    assert "Provides-Extra: docs" in metadata and "Description-Content-Type: text/markdown" in metadata


def test_what_is_in_it_works_elsewhere(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "elsewhere").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "INFLATE_SHRINK_PATH": ""}
    run = subprocess.run(
        [sys.executable, "-c", USE], cwd=tmp_path / "elsewhere", env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    first, *shown = run.stdout.splitlines()
    place, *paths = first.split()
    assert place == str(tmp_path / "site" / "inflate_shrink") and len(paths) > 1 and paths[-1] == "numpy"
    assert "name: I-B" in shown and list((tmp_path / "elsewhere").iterdir()) == []
