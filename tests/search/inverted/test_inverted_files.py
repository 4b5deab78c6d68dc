"""A damaged index is named, file by file."""

import os

import pytest

from inflate_shrink import checked_files
from inflate_shrink.errors import InputError
from inflate_shrink.search.inverted import files
from inflate_shrink.search.inverted.index import FILES, InvertedIndex


def flip(path):
    """Change the last bit but three."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 8
    path.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "damage, message",
    [(flip, "its checksum is not"), (lambda path: os.truncate(path, 7), "has 7 bytes"), (os.remove, "missing")],
)
def test_the_damaged_file_is_named(make_index, name, damage, message):
    path = make_index().directory / name
    damage(path)
    with pytest.raises(InputError, match=message) as error:
        InvertedIndex(path.parent)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "damage",
    [flip, lambda path: os.truncate(path, 7), lambda path: os.truncate(path, path.read_bytes()[:-1].rindex(b"\n") + 1)],
)
def test_the_list_itself(make_index, damage):
    path = make_index().directory / files.LIST
    damage(path)
    with pytest.raises(InputError):
        InvertedIndex(path.parent)


def test_large_files_are_read_on_request_only(make_index, monkeypatch):
    directory = make_index().directory
    monkeypatch.setattr(files, "SMALL", -1)
    monkeypatch.setattr(checked_files, "_CHUNK", 5)  # bytes: so that there are several
    InvertedIndex(directory, verify=True)
    flip(directory / "posting_scores.npy")
    InvertedIndex(directory)
    with pytest.raises(InputError, match="posting_scores.npy: its checksum"):
        InvertedIndex(directory, verify=True)


@pytest.mark.parametrize("name, message", [("none", "no such index"), ("", "files.tsv is missing")])
def test_no_index(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        InvertedIndex(tmp_path / name)
