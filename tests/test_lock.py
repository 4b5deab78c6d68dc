"""One process at a time, whoever dies."""

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.lock import Held, locked, take_lock

HOLD = """
import sys
from pathlib import Path
from inflate_shrink.lock import take_lock

lock = take_lock(Path(sys.argv[1]), "it")
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_is_refused_by_name(tmp_path):
    lock = take_lock(tmp_path / "lock", tmp_path)
    with pytest.raises(Held) as error:
        take_lock(tmp_path / "lock", tmp_path, wait=0.1)
    holder = rf"process {os.getpid()} on {re.escape(socket.gethostname())} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"{tmp_path}: is being written by {holder}; try again when that has ended", str(error.value))
    assert re.fullmatch(holder, error.value.holder)
    lock.release()
    lock = take_lock(tmp_path / "lock", tmp_path)
    assert lock.exclusive
    lock.release()


def test_a_killed_process_holds_nothing(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(Held, match=f"process {process.pid} on"):
            take_lock(tmp_path / "lock", "it")
        process.send_signal(signal.SIGKILL)
    take_lock(tmp_path / "lock", "it").release()


def test_waiting(tmp_path):
    first = take_lock(tmp_path / "lock", "it")
    timer = threading.Timer(0.2, first.release)
    timer.start()
    start = time.monotonic()
    take_lock(tmp_path / "lock", "it", wait=60).release()
    assert time.monotonic() - start >= 0.1


@pytest.mark.parametrize("inherited", [False, True])
def test_a_child_that_outlives_the_holder(tmp_path, inherited):
    """It has the descriptor, as after a fork; it keeps the lock only where that is wanted."""
    lock = take_lock(tmp_path / "lock", "it", inherited=inherited)
    child = os.dup(lock.fileno())
    lock.release()
    if inherited:
        with pytest.raises(Held):
            take_lock(tmp_path / "lock", "it")
    else:
        take_lock(tmp_path / "lock", "it").release()
    os.close(child)
    take_lock(tmp_path / "lock", "it").release()


def test_a_file_that_its_holder_removes_is_no_lock_for_the_next(tmp_path):
    """The second has opened the file before the first removes it and lets go; a third must not get in beside it."""
    first, entered = take_lock(tmp_path / "lock", "it"), []
    thread = threading.Thread(target=lambda: entered.append(take_lock(tmp_path / "lock", "it", wait=60)))
    thread.start()
    time.sleep(0.1)
    (tmp_path / "lock").unlink()
    first.release()
    thread.join(60)
    with pytest.raises(Held):
        take_lock(tmp_path / "lock", "it")
    entered[0].release()


def test_block(tmp_path):
    with pytest.raises(ZeroDivisionError):
        with locked(tmp_path / "deep" / "lock", "it"):
            with pytest.raises(Held):
                take_lock(tmp_path / "deep" / "lock", "it")
            raise ZeroDivisionError
    take_lock(tmp_path / "deep" / "lock", "it").release()


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    first, second = (take_lock(tmp_path / "lock", "it") for _ in range(2))
    assert not first.exclusive and not second.exclusive
    first.release()
    second.release()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="^it: cannot be written: Not a directory$"):
        take_lock(tmp_path / "file" / "lock", "it")
