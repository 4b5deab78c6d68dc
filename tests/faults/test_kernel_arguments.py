"""The kernel, called with anything: it refuses, or answers as NumPy does; it never reads or writes elsewhere."""

import ctypes

import pytest
from kernel_arguments import ANY, OFF, REFUSED, case, same, tried
from mutations import SEED

from inflate_shrink.kernel import compiled, paths

SHORT, LONG = 60, 10_000


def forget():
    for function in (compiled._load, compiled._built, compiled.paths):
        function.cache_clear()


@pytest.mark.parametrize("count", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ANY)
def test_any_arguments(name, count, tally, monkeypatch):
    counts, ways = tally("arguments at random", name), paths()
    numbers = {number: ways[number % len(ways)] for number in range(SEED * LONG, SEED * LONG + count)}
    found = {number: tried(*case(number, name), path) for number, path in numbers.items()}

    def refuse(path):
        raise OSError(path)

    with monkeypatch.context() as without_library:
        without_library.setattr(ctypes, "CDLL", refuse)
        without_library.delenv(compiled.VARIABLE, raising=False)
        forget()
        expected = {number: tried(*case(number, name)) for number in numbers}
    forget()
    for number, path in numbers.items():
        same(found[number], expected[number], f"{name}, {number}, {path}", OFF.get(name, 1e-4))
        counts["refused" if found[number] is REFUSED else "right"] += 1
    assert min(counts["refused"], counts["right"]) > count / 50  # neither is all that happens
