"""Memory that reading a file may take."""

import tracemalloc
from contextlib import contextmanager

import pytest


@pytest.fixture
def peak_memory():
    """A context manager: what is allocated in it never exceeds ``at_most`` bytes at once. NumPy's arrays count, Python's objects too."""

    @contextmanager
    def limited(at_most):
        tracemalloc.start()
        try:
            yield
            assert tracemalloc.get_traced_memory()[1] <= at_most
        finally:
            tracemalloc.stop()

    return limited
