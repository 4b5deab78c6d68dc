"""Readers: undisturbed by writers, quick to notice a commit."""

import subprocess
import sys

import pytest

import index_changes
from index_changes import SETTINGS, change, content, files_in, snapshot
from inflate_shrink.errors import InputError
from inflate_shrink.search.index import (
    IndexWriter,
    create_index,
    ids,
    index,
    manifest,
    open_index,
    segment,
    verify_index,
)


def test_a_reader_keeps_its_commit_until_it_asks(make_index):
    directory = make_index(2)
    reader = open_index(directory)
    assert not reader.refresh()
    with IndexWriter(directory) as writer:
        for number in (3, 4, 5, 6):  # two of them compact
            change(writer, number)
            assert reader.commit == 2 and snapshot(reader) == content(2)  # of files that are gone
    assert reader.refresh() and not reader.refresh()
    assert reader.commit == 6 and snapshot(reader) == content(6)


def test_refresh_without_a_commit_reads_nothing(make_index, monkeypatch):
    reader = open_index(make_index(1))
    monkeypatch.setattr(index, "at_latest", lambda *arguments: pytest.fail("the manifest was read"))
    assert not reader.refresh()


def test_refresh_maps_only_what_is_new(make_index):
    directory = make_index(3)
    reader = open_index(directory)
    (before,) = reader.segments
    with IndexWriter(directory) as writer:
        writer.add(["new"], [""], index_changes.fields_of([(1, 0)]))
        writer.commit()
    assert reader.refresh() and reader.segments[0] is before and len(reader.segments) == 2


def test_refresh_after_the_index_was_replaced_or_damaged(make_index, tmp_path):
    directory = make_index(2)
    reader = open_index(directory)
    (directory / "manifest.json").write_text("{}")
    for _ in range(2):
        with pytest.raises(InputError, match="manifest.json: its checksum"):
            reader.refresh()
    directory.rename(tmp_path / "old")
    create_index(directory, type(SETTINGS)("images", SETTINGS.fields))
    with pytest.raises(InputError, match="another index has taken its place"):
        reader.refresh()
    assert reader.commit == 2 and snapshot(reader) == content(2)


@pytest.mark.parametrize("use", [lambda directory: snapshot(open_index(directory)) == content(3), verify_index])
def test_a_segment_that_is_removed_between_reading_the_manifest_and_opening_it(make_index, monkeypatch, use):
    directory = make_index(2)
    check = index.check_files

    def commit_first(*arguments, **named):
        monkeypatch.undo()
        with IndexWriter(directory) as writer:
            change(writer, 3)  # compacts
        return check(*arguments, **named)

    for module in ("index", "verify"):
        monkeypatch.setattr(f"inflate_shrink.search.index.{module}.check_files", commit_first)
    assert use(directory) in (True, None)
    assert open_index(directory).commit == 3


def test_positions_of_ids(make_index, monkeypatch):
    directory = make_index(5)
    reader = open_index(directory)
    names = [*content(5)]
    positions = reader.find(names)
    assert [reader.segments[number].ids[row] for number, row in positions] == names and len(set(positions[:, 0])) == 3
    with pytest.raises(InputError, match=r"3 of 4 ids not in the index: '4-0', '\\ud800', 'alway'$"):
        reader.find(["4-0", "\ud800", "always", "alway"])  # deleted, none, there, a part of one
    with pytest.raises(InputError, match=r"9 of 9 .*: '0', '1', '2', '3', '4', ...$"):
        reader.find(list("012345678"))


def test_ids_of_one_hash_are_told_apart(make_index, monkeypatch):
    real = ids.hash_ids
    for module in (ids, segment):
        # "1-0", "1-1" and "1" share theirs.
        monkeypatch.setattr(module, "hash_ids", lambda names: real([name[:1] for name in names]))
    directory = make_index(3)
    reader = open_index(directory)
    names = [*content(3)]
    assert [reader.segments[number].ids[row] for number, row in reader.find(names)] == names
    with pytest.raises(InputError, match="2 of 2"):
        reader.find(["1", "zzz"])


def test_ids_are_a_sequence(make_index):
    (only,) = open_index(make_index(3)).segments
    assert len(only) == len(only.ids) == len(only.files) == 5
    assert (only.ids[-1], only.files[-1]) == (list(only.ids)[4], list(only.files)[4])
    assert "ü" in only.files and "none" not in only.ids
    with pytest.raises(IndexError):
        only.ids[5]
    with pytest.raises(InputError, match="index: has no field vector; it has fragments, codes"):
        only.stored("vector")


def test_readers_beside_a_writer_that_commits(make_index):
    directory = make_index(1)
    first, moving, seen = open_index(directory), open_index(directory), set()
    with subprocess.Popen(
        [sys.executable, index_changes.__file__, directory, "21"], stdout=subprocess.DEVNULL
    ) as writer:
        while writer.poll() is None:
            moving.refresh()
            for reader in (moving, open_index(directory)):
                assert snapshot(reader) == content(reader.commit)
                assert reader.find([*content(reader.commit)]).min() >= 0
                seen.add(reader.commit)
            verify_index(directory)
    assert writer.returncode == 0
    moving.refresh()
    assert snapshot(moving) == content(21) and snapshot(first) == content(1)
    assert len(seen) > 2  # it did read in between
    assert not [name for name in files_in(directory) if "tmp" in name]


def test_at_latest_gives_up_if_nothing_was_committed(make_index):
    calls = []

    def fail(read):
        calls.append(read)
        raise InputError("missing")

    with pytest.raises(InputError, match="missing"):
        manifest.at_latest(make_index(1), fail)
    assert len(calls) == 1
