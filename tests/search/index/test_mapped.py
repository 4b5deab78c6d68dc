"""Mapped files: their numbers, no descriptor, and memory that is given back."""

import gc
import os

import numpy as np
import pytest

from inflate_shrink.search.index.mapped import map_file


def mappings(path):
    """Of a file in this process; what was removed has " (deleted)" behind its name."""
    gc.collect()
    with open("/proc/self/maps") as file:
        return sum(str(path) in line for line in file)


def test_numbers_without_a_descriptor(tmp_path):
    path = tmp_path / "numbers"
    np.arange(5000).tofile(path)
    descriptors = len(os.listdir("/proc/self/fd"))
    array = map_file(path, np.int64)
    assert len(os.listdir("/proc/self/fd")) == descriptors and mappings(path) == 1
    np.testing.assert_array_equal(array, np.arange(5000))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    with pytest.raises(ValueError):
        array.flags.writeable = True


def test_mapped_until_the_last_view_is_gone(tmp_path):
    path = tmp_path / "numbers"
    np.arange(5000).tofile(path)
    view = map_file(path, np.int64).reshape(2, -1)[1, ::2]
    path.unlink()
    assert mappings(path) == 1 and view.tolist() == list(range(2500, 5000, 2))
    del view
    assert mappings(path) == 0


def test_files_that_cannot_be_mapped(tmp_path):
    (tmp_path / "empty").touch()
    assert map_file(tmp_path / "empty", np.uint16).shape == (0,)
    (tmp_path / "odd").write_bytes(b"123")
    with pytest.raises(ValueError):
        map_file(tmp_path / "odd", np.uint16)
    with pytest.raises(FileNotFoundError, match="none"):
        map_file(tmp_path / "none", np.uint8)
    assert mappings(tmp_path / "odd") == 0
