"""Two writers: the second waits, or is refused by name. A directory that cannot be written can be read."""

import os
import re
import socket
import threading
import time

import pytest

from index_changes import SETTINGS, change, content, snapshot
from inflate_shrink.errors import InputError
from inflate_shrink.search.index import IndexWriter, create_index, open_index


def test_the_second_writer_is_refused_by_name(make_index):
    directory = make_index(1)
    with IndexWriter(directory):
        with pytest.raises(InputError) as error:
            IndexWriter(directory, wait=0.1)
        holder = rf"process {os.getpid()} on {re.escape(socket.gethostname())} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d"
        assert re.fullmatch(
            rf"{directory}: is being written by {holder}; try again when that has ended", str(error.value)
        )
        assert snapshot(open_index(directory)) == content(1)
    with IndexWriter(directory, wait=0) as writer:
        change(writer, 2)


def test_the_second_writer_waits_and_then_sees_the_first_ones_commit(make_index):
    directory, started = make_index(1), threading.Event()

    def second():
        started.set()
        with IndexWriter(directory, wait=60) as writer:
            change(writer, 3)

    with IndexWriter(directory) as writer:
        thread = threading.Thread(target=second)
        thread.start()
        started.wait()
        time.sleep(0.1)
        change(writer, 2)
        assert open_index(directory).commit == 2
    thread.join()
    assert snapshot(open_index(directory)) == content(3)


def test_a_child_process_does_not_keep_the_lock(make_index):
    directory = make_index(1)
    with IndexWriter(directory):
        opened = {name: os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")}
        inherited = [os.dup(int(name)) for name, path in opened.items() if path == str(directory / "lock")]
    assert inherited
    IndexWriter(directory, wait=0).close()
    for descriptor in inherited:
        os.close(descriptor)


def test_a_damaged_index_lets_the_lock_go(make_index):
    directory = make_index(1)
    (directory / "encoder" / "model").unlink()
    with pytest.raises(InputError, match="encoder/model: missing"):
        IndexWriter(directory)
    (directory / "encoder" / "model").write_bytes(b"made up")
    IndexWriter(directory, wait=0).close()


def test_a_read_only_folder(make_index, monkeypatch):
    directory = make_index(2)
    monkeypatch.chdir(directory.parent)
    os.chmod(directory.parent, 0o755)
    user = os.geteuid()
    if user:
        for path in (directory, directory / "lock", directory / "segments", directory / "deleted"):
            os.chmod(path, 0o555)
        os.chmod(directory.parent, 0o555)
    else:
        os.seteuid(65534)  # root may write anywhere
    try:
        with pytest.raises(InputError, match="^index: cannot be written: Permission denied$"):
            IndexWriter("index")
        with pytest.raises(InputError, match="^new: cannot be written: Permission denied"):
            create_index("new", SETTINGS)
        assert snapshot(open_index("index")) == content(2)
    finally:
        if user:
            os.chmod(directory.parent, 0o755)
        else:
            os.seteuid(user)
