"""Files and directories appear whole, or what was there before is untouched."""

import errno
import os

import pytest

from inflate_shrink import atomic
from inflate_shrink.atomic import atomic_path, atomic_symlink
from inflate_shrink.errors import InputError


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_file_appears_when_the_block_ends(tmp_path):
    with atomic_path(tmp_path / "new" / "file") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "new" / "file").exists()
    assert (tmp_path / "new" / "file").read_text() == "whole"
    assert names(tmp_path / "new") == ["file"]


def test_file_is_replaced(tmp_path):
    (tmp_path / "file").write_text("old")
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "file").read_text() == "old"
    assert (tmp_path / "file").read_text() == "new"


def test_directory(tmp_path):
    with atomic_path(tmp_path / "whole") as temporary:
        (temporary / "deep").mkdir(parents=True)
        (temporary / "deep" / "file").write_text("x")
    assert names(tmp_path) == ["whole"] and (tmp_path / "whole" / "deep" / "file").read_text() == "x"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_any_exception_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "file").write_text("old")
    with pytest.raises(error):
        with atomic_path(tmp_path / "file") as temporary:
            temporary.write_text("half")
            raise error
    assert names(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "old"


def test_full_disk_while_writing(tmp_path):
    with pytest.raises(InputError, match=r"/data: cannot be written: No space left on device"):
        with atomic_path(tmp_path / "data") as temporary:
            temporary.mkdir()
            (temporary / "part").write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == []


def test_full_disk_that_shows_only_in_fsync(tmp_path, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(InputError, match="/file: cannot be written: No space left"):
        with atomic_path(tmp_path / "file") as temporary:
            temporary.write_text("new")
    assert names(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "old"


def test_contents_are_on_disk_before_the_name_is(tmp_path, monkeypatch):
    events = []
    rename, fsync = os.replace, atomic.fsync
    monkeypatch.setattr(atomic.os, "replace", lambda *paths: (events.append("rename"), rename(*paths)))
    monkeypatch.setattr(atomic, "fsync", lambda path: (events.append(path.name), fsync(path)))
    with atomic_path(tmp_path / "whole") as temporary:
        temporary.mkdir()
        (temporary / "part").write_text("x")
    assert events == ["part", temporary.name, "rename", tmp_path.name]


def test_impossible_parent(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/below: cannot be written"):
        with atomic_path(tmp_path / "file" / "below"):
            pytest.fail("the block must not run")


def test_symlink_is_made_and_replaced(tmp_path):
    for target in ("one", "two"):
        (tmp_path / target).mkdir()
        atomic_symlink(target, tmp_path / "link")
        assert os.readlink(tmp_path / "link") == target
    assert names(tmp_path) == ["link", "one", "two"]
