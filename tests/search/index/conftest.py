"""An index with known content."""

import os

import pytest

from index_changes import SETTINGS, change
from inflate_shrink.search.index import IndexWriter, create_index


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """What a killed process wrote is there without fsync; that it comes at the right moment is a test of its own."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def make_index(tmp_path):
    """A function: number of commits -> the directory of an index after so many changes, with a constant file."""

    def make(commits):
        def prepare(directory):
            (directory / "encoder").mkdir()
            (directory / "encoder" / "model").write_bytes(b"made up")

        create_index(tmp_path / "index", SETTINGS, prepare)
        with IndexWriter(tmp_path / "index") as writer:
            for number in range(1, commits + 1):
                change(writer, number)
        return tmp_path / "index"

    return make
