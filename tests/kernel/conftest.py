"""The kernel with and without its library."""

import ctypes
from importlib.metadata import PackageNotFoundError, version

import pytest

from inflate_shrink.kernel import compiled


@pytest.fixture(scope="session")
def built_once():
    """Skip under Paddle 2: what a test builds of the kernel's sources alone takes a minute and is the same under every Paddle."""
    try:
        old = version("paddlepaddle").startswith("2.")
    except PackageNotFoundError:  # a build for GPUs
        old = False
    if old:
        pytest.skip("the kernel's sources are the same under every Paddle: built under Paddle 3")


@pytest.fixture
def without_library(monkeypatch):
    """As where no compiler was."""

    def refuse(path):
        raise OSError(path)

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    forget()
    yield
    monkeypatch.undo()
    forget()


@pytest.fixture
def fresh(monkeypatch):
    """A function that makes the kernel look again at what is there and at INFLATE_SHRINK_PATH, which is not set to begin with."""
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    forget()
    yield forget
    monkeypatch.undo()
    forget()


def forget():
    for function in (compiled._load, compiled._built, compiled.paths):
        function.cache_clear()
