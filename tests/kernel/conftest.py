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
    forget()
    yield
    monkeypatch.undo()
    forget()


def forget():
    compiled.library.cache_clear()
    compiled.paths.cache_clear()
