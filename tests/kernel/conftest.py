"""The kernel with and without its library."""

import ctypes

import pytest

from inflate_shrink.kernel import compiled


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
