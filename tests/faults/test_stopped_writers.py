"""Whoever writes meets a full disk, or is killed, at any step: what was there before stays, or what is new is whole."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from mutations import SEED
from numpy.random import default_rng
from writers import WRITERS, Given, crash

from disk_steps import before_each_step, full_disk
from inflate_shrink.errors import InputError
from tool_process import FORKS, start_server

FEW, SLOW = 2, 40  # steps of the short run; of the long one, where a work takes seconds: of all others every step
CASES = [
    *((name, FEW) for name, writer in WRITERS.items() if not writer.slow),
    *(pytest.param(name, 0, marks=pytest.mark.long) for name in WRITERS),
]
NO_ROOM = "No space left on device"


@pytest.fixture(scope="module")
def given(tiny_yaml, tiny_data, trained):
    return Given(str(tiny_yaml), str(tiny_data), str(trained("model.codes=3", "model.fragments=all")))


class Cases:
    """A writer's work on a copy of what is there before, for each time that it is stopped."""

    def __init__(self, name, place, given):
        self.writer, self.place, self.given = WRITERS[name], place, given
        os.mkdir(place / "before")
        self.writer.prepare(place / "before", given)
        self.before = self.writer.found(place / "before")
        whole, met = self.copy(), []
        with before_each_step(met.append):
            self.writer.work(whole, given)
        self.steps, self.after, self.names = len(met), self.writer.found(whole), names(whole)
        assert self.steps > 3

    def copy(self):
        here = self.place / "here"
        shutil.rmtree(here, ignore_errors=True)
        return Path(shutil.copytree(self.place / "before", here, symlinks=True))

    def chosen(self, count):
        """The numbers of the steps to stop at: all, or some at random."""
        if not count and not self.writer.slow:
            return range(1, self.steps + 1)
        return sorted(default_rng(SEED).choice(self.steps, min(count or SLOW, self.steps), replace=False) + 1)

    def check(self, here, must_be_done):
        """What was left can be read and is whole; the same work, done again, ends as if it had never been stopped."""
        found = self.writer.found(here)
        must_be_done &= not self.writer.only_saves_time
        assert found == self.after if must_be_done else self.writer.by_steps or found in (self.before, self.after)
        self.writer.work(here, self.given)
        assert self.writer.found(here) == self.after and names(here) == self.names


def names(place):
    """The paths of all files, without what is drawn at random in them."""
    return sorted(re.sub(r"-[0-9a-f]{8}\b", "", path.relative_to(place).as_posix()) for path in place.rglob("*"))


@pytest.mark.parametrize("name, count", CASES)
def test_a_full_disk_at_any_step(name, count, given, tmp_path, tally, no_waiting_for_the_disk, capsys):
    cases, counts = Cases(name, tmp_path, given), tally("disk full", name)
    for step in cases.chosen(count):
        here, error = cases.copy(), ""
        with full_disk(step):
            try:
                cases.writer.work(here, given)
            except InputError as raised:
                error = str(raised)
                assert NO_ROOM in error and "\n" not in error, error
        counts["refused" if error else "right"] += 1
        cases.check(here, must_be_done=not error)


@pytest.mark.parametrize("name, count", CASES)
def test_killed_at_any_step(name, count, given, tmp_path, tally, no_waiting_for_the_disk, capsys):
    start_server()
    cases, counts = Cases(name, tmp_path, given), tally("SIGKILL at a step", name)
    for step in cases.chosen(count):
        here = cases.copy()
        process = FORKS.Process(target=crash, args=(name, str(here), given, int(step)))
        process.start()
        process.join(600)
        assert process.exitcode in (-signal.SIGKILL, 0)
        counts["right"] += 1
        cases.check(here, must_be_done=process.exitcode == 0)


@pytest.mark.long
@pytest.mark.parametrize("name", WRITERS)
def test_a_small_disk(name, given, tmp_path, tally, no_waiting_for_the_disk, capsys):
    """A real one, of any size at which the work does not fit; nothing is played."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        cases, counts = Cases(name, disk, given), tally("small disk", name)
        cases.copy()
        used = shutil.disk_usage(disk).used
        WRITERS[name].work(disk / "here", given)
        needed = shutil.disk_usage(disk).used - used
        page = os.sysconf("SC_PAGESIZE")
        sizes = range(page, 2 * needed + 64 * page, max(page, needed // 12 // page * page if cases.writer.slow else 1))
        for room in sizes:
            here, error = cases.copy(), ""
            resize(disk, shutil.disk_usage(disk).used + room)
            try:
                cases.writer.work(here, given)
            except InputError as raised:
                error = str(raised)
                assert NO_ROOM in error and "\n" not in error, error
            resize(disk, 64 << 20)
            counts["refused" if error else "right"] += 1
            cases.check(here, must_be_done=not error)
            if not error and room > needed:
                break
        assert counts["right"] and bool(counts["refused"]) != cases.writer.only_saves_time
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def resize(disk, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
