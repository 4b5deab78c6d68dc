"""A directory of runs for the tests of the report."""

import json

import pytest


@pytest.fixture
def runs(tmp_path):
    """A function that writes results, each to a directory of its own or the one of its name, and returns the directory of all."""
    root = tmp_path / "runs"

    def write(*results, **named):
        named = {**{f"run{number}": values for number, values in enumerate(results)}, **named}
        for name, values in named.items():
            (root / name).mkdir(parents=True)
            (root / name / "result.json").write_text(json.dumps(values))
        return root

    return write
