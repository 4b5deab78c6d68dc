"""Files and directories appear whole, or what was there before is untouched."""

import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

from inflate_shrink import atomic, lock
from inflate_shrink.atomic import atomic_path, atomic_symlink, require_new
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


def write(path):
    with atomic_path(path) as temporary:
        temporary.write_text("whole")


KILLED = """
import os, signal, sys
from pathlib import Path
from inflate_shrink.atomic import atomic_path

with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.mkdir()
    (temporary / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_when_the_path_is_written_again(tmp_path):
    assert subprocess.run([sys.executable, "-c", KILLED, tmp_path / "whole"]).returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1 and names(tmp_path)[0].startswith(".whole.tmp-")
    write(tmp_path / "other")
    assert len(names(tmp_path)) == 2  # it might become the other process's file still
    write(tmp_path / "whole")
    assert names(tmp_path) == ["other", "whole"]


def test_what_earlier_versions_left(tmp_path):
    """They named the process and held no lock."""
    dead, ours, running = 99999999, os.getpid(), os.getppid()
    for process in (dead, ours, running):
        (tmp_path / f".whole.tmp-{process}").mkdir()
        (tmp_path / f".file.tmp-{process}").write_text("half")
        os.symlink("nowhere", tmp_path / f".link.tmp-{process}")
    write(tmp_path / "whole")
    write(tmp_path / "file")
    atomic_symlink("file", tmp_path / "link")
    assert names(tmp_path) == sorted(
        ["whole", "file", "link", *(f".{name}.tmp-{running}" for name in ("whole", "file", "link"))]
    )


def test_what_is_in_use_is_not_left_over(tmp_path):
    """Two write one file at once: the last one stays, and neither disturbs the other."""
    with atomic_path(tmp_path / "file") as first:
        first.write_text("first")
        with atomic_path(tmp_path / "file") as second:
            second.write_text("second")
            assert first.read_text() == "first"
        assert (tmp_path / "file").read_text() == "second"
    assert (tmp_path / "file").read_text() == "first" and names(tmp_path) == ["file"]


def test_what_was_killed_before_it_had_a_lock_is_removed(tmp_path):
    """A writer makes its directory first and its lock next, and may be killed in between."""
    (tmp_path / ".file.tmp-1-aaaaaaaa").mkdir()
    write(tmp_path / "file")
    assert names(tmp_path) == ["file"]


def test_a_directory_that_is_removed_before_it_has_a_lock_is_made_again(tmp_path, monkeypatch):
    take = atomic.locked

    def remove_first(path, *arguments, **options):
        path.parent.rmdir()
        return take(path, *arguments, **options)

    monkeypatch.setattr(atomic, "locked", remove_first)
    write(tmp_path / "file")
    assert names(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "whole"


def test_many_threads_write_one_file(tmp_path):
    errors = []

    def work():
        try:
            for _ in range(20):
                write(tmp_path / "file")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and names(tmp_path) == ["file"]


def test_without_locks_nothing_is_taken_for_left_over(tmp_path, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with atomic_path(tmp_path / "file") as first:
        first.write_text("first")
        write(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "first"


def test_a_name_with_signs_of_patterns(tmp_path):
    with atomic_path(tmp_path / "[ab]*") as temporary:
        temporary.write_text("x")
        write(tmp_path / "[ab]*")
        assert temporary.exists()
    assert names(tmp_path) == ["[ab]*"]


def test_what_exists_is_not_replaced(tmp_path):
    require_new(tmp_path / "new")
    (tmp_path / "file").touch()
    os.symlink("nowhere", tmp_path / "broken link")
    for name in ("file", "broken link", "."):
        with pytest.raises(
            InputError, match="already exists and is not replaced; remove it or choose another directory"
        ):
            require_new(tmp_path / name)


def test_symbolic_link_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/link: cannot be written"):
        atomic_symlink("one", tmp_path / "file" / "link")
