"""Sub-packages offer their public names, and importing them costs nothing."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("data", "extract")


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_are_there(name):
    package = importlib.import_module(f"inflate_shrink.{name}")
    for public in package.__all__:
        value = getattr(package, public)
        assert getattr(value, "__name__", public) == public and public in vars(package)  # found at once from now on
    with pytest.raises(AttributeError, match=f"'inflate_shrink.{name}' has no attribute 'none'"):
        package.none


def test_importing_them_imports_nothing_heavy():
    code = f"import sys, {', '.join('inflate_shrink.' + name for name in PACKAGES)}; print({{'numpy', 'PIL', 'paddle'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert (done.stdout, done.stderr) == ("set()\n", "")
