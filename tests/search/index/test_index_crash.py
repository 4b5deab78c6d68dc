"""A writer that is killed, or that meets a full disk, leaves the old or the new commit; at every step: tests/faults."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest

import index_changes
from index_changes import SETTINGS, change, content, files_in, named_in, snapshot
from inflate_shrink.errors import InputError
from inflate_shrink.search.index import IndexWriter, create_index, open_index, verify_index

pytestmark = pytest.mark.slow


def test_killed_at_random(make_index):
    directory, chance = make_index(1), random.Random(0)
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, index_changes.__file__, directory, "1000000"], stdout=subprocess.PIPE, text=True
        ) as writer:
            promised = [int(writer.stdout.readline()) for _ in range(1 + chance.randrange(4))]
            try:
                writer.wait(chance.uniform(0, 0.02))
            except subprocess.TimeoutExpired:
                writer.kill()
            promised += map(int, writer.stdout.read().split())
        verify_index(directory)
        index = open_index(directory)
        assert index.commit - promised[-1] in (0, 1) and snapshot(index) == content(index.commit)
    with IndexWriter(directory, wait=0) as writer:
        change(writer, index.commit + 1)
    assert files_in(directory) == named_in(directory)


def test_a_full_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path / "disk"], capture_output=True)
    if mount.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        directory = tmp_path / "disk" / "index"
        create_index(directory, SETTINGS)
        with IndexWriter(directory) as writer:
            change(writer, 1)
        before = files_in(directory)
        lengths = np.full(1000, 10)
        fields = {
            "fragments": (np.ones((10000, 5), np.float32), lengths),
            "codes": (np.zeros(10000, np.uint16), lengths),
        }
        with pytest.raises(
            InputError, match="index: cannot be written: No space left on device; the index is as it was"
        ):
            with IndexWriter(directory) as writer:
                for block in range(100):
                    writer.add([f"{block} {i}" for i in range(1000)], [""] * 1000, fields)
        verify_index(directory)
        assert snapshot(open_index(directory)) == content(1) and files_in(directory) == before
        with IndexWriter(directory) as writer:
            change(writer, 2)
    finally:
        subprocess.run(["umount", "-l", tmp_path / "disk"], check=True)


def test_everything_is_on_disk_before_the_manifest_names_it(make_index, monkeypatch):
    directory, synced, named = make_index(1), set(), []
    fsync, rename = os.fsync, os.replace

    def note(descriptor):
        synced.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def replace(source, target):
        rename(source, target)
        named.extend(named_in(directory) - before - {"manifest.json"})
        assert str(source) in synced
        assert {str(directory / name) for name in named} | {
            str(directory / "segments"),
            str(directory / "deleted"),
        } <= synced
        synced.clear()

    before = named_in(directory)
    with IndexWriter(directory) as writer:
        monkeypatch.setattr(os, "fsync", note)
        monkeypatch.setattr(os, "replace", replace)
        change(writer, 2)
    assert len(named) > 8 and synced == {str(directory)}
