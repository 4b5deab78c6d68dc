"""Commits: what is added, deleted, replaced and compacted is what is read."""

import gc
import os
import resource

import numpy as np
import pytest

from index_changes import SETTINGS, add, change, content, fields_of, files_in, named_in, rows_of, snapshot
from inflate_shrink.errors import InputError
from inflate_shrink.kernel import decode_rows, encode_rows
from inflate_shrink.search.index import (
    FieldSettings,
    IndexSettings,
    IndexWriter,
    create_index,
    open_index,
    segment,
    verify_index,
)
from inflate_shrink.search.index import writer as module


@pytest.fixture
def empty(tmp_path):
    create_index(tmp_path / "index", SETTINGS)
    return tmp_path / "index"


@pytest.mark.parametrize("commits", range(8))
def test_content_after_so_many_commits(make_index, commits):
    directory = make_index(commits)
    index = open_index(directory)
    assert index.commit == commits and snapshot(index) == content(commits)
    assert files_in(directory) == named_in(directory)
    verify_index(directory)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("lengths", [[2, 2, 2], [1, 4, 1]])
def test_rows_are_the_kernels(tmp_path, precision, lengths):
    create_index(tmp_path / "index", IndexSettings("images", {"fragments": FieldSettings(precision, 5)}))
    vectors = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    with IndexWriter(tmp_path / "index") as writer:
        writer.add(["a"], [""], {"fragments": (vectors[: lengths[0]], lengths[:1])})
        writer.add(["b", "c"], ["", ""], {"fragments": (vectors[lengths[0] :].astype(np.float64), lengths[1:])})
        writer.commit()
    (only,) = open_index(tmp_path / "index").segments
    rows, (values, scales) = only.stored("fragments"), encode_rows(vectors, precision)
    assert (rows.precision, rows.dim, len(rows)) == (precision, 5, 3) and rows.values.dtype == values.dtype
    np.testing.assert_array_equal(rows.values, values)
    np.testing.assert_array_equal(rows.offsets, np.cumsum([0, *lengths]))
    np.testing.assert_allclose(decode_rows(rows.values, rows.scales, precision, 5), vectors, atol=0.03)
    assert (rows.scales is None) == (scales is None)
    assert rows.values.ctypes.data % 4096 == 0 and not rows.values.flags.writeable  # mapped
    ragged = (only.entry.name, "fragments.offsets")
    assert ("/".join(("segments", *ragged)) in only.entry.files) == (lengths == [1, 4, 1])


def test_origin_and_constant_files(make_index):
    index = open_index(make_index(0))
    assert index.settings == SETTINGS and index.settings.origin == {"model": "made up"}
    assert index.manifest.files["encoder/model"].size == 7
    assert (len(index), index.segments, index.find([]).shape) == (0, (), (0, 2))


def test_what_is_not_committed_is_dropped(make_index):
    directory = make_index(2)
    before = files_in(directory)
    with IndexWriter(directory) as writer:
        add(writer, "new")
        writer.delete(["1-1"])
        writer.compact()
    with pytest.raises(KeyError):
        with IndexWriter(directory) as writer:
            add(writer, "new")
            raise KeyError
    with pytest.raises(InputError, match="writer is closed"):
        writer.commit()
    assert snapshot(open_index(directory)) == content(2) and files_in(directory) == before


def test_a_commit_without_changes_is_none(make_index):
    directory = make_index(3)
    with IndexWriter(directory) as writer:
        writer.compact()  # one segment, nothing deleted
        writer.commit()
        add(writer, "new")
        assert writer.delete(["new"]) == 1
        writer.commit()
    assert open_index(directory).commit == 3 and files_in(directory) == named_in(directory)


def test_items_deleted_and_replaced_before_they_are_committed(empty):
    with IndexWriter(empty) as writer:
        add(writer, "a", "b")
        assert writer.delete(["a", "a"]) == 1
        writer.add(["a"], ["second"], fields_of([(7, 0)]))
        writer.commit()
    index = open_index(empty)
    assert snapshot(index) == {"b": ("", rows_of(1, 1), [1] * 3), "a": ("second", rows_of(7, 0), [0] * 2)}
    assert index.find(["a", "b"]).tolist() == [[0, 2], [0, 1]]


def test_a_segment_loses_items_again_and_again(empty):
    with IndexWriter(empty) as writer:
        add(writer, "a", "b", "c", "d")
        writer.commit()
        for names, left in (["a", "d"], ["b", "c"]), (["c"], ["b"]):
            for name in names:
                assert writer.delete([name]) == 1
            writer.commit()
            (only,) = open_index(empty).segments
            assert [name for name, gone in zip(only.ids, only.deleted) if not gone] == left and only.live == len(
                open_index(empty)
            ) == len(left)
    assert files_in(empty) == named_in(empty)


def test_a_segment_without_live_items_goes(make_index):
    directory = make_index(1)
    with IndexWriter(directory) as writer:
        assert writer.delete(["1-0", "always", "1-1"]) == 3
        writer.commit()
    assert open_index(directory).segments == () and files_in(directory) == named_in(directory)
    with IndexWriter(directory) as writer:
        add(writer, "1-0")  # the id is free again
        writer.commit()
    assert len(open_index(directory)) == 1


def test_compaction_in_small_blocks_keeps_the_order(make_index, monkeypatch):
    directory = make_index(2)
    before = snapshot(open_index(directory))
    monkeypatch.setattr(segment, "_BLOCK", 1)
    with IndexWriter(directory) as writer:
        writer.compact()
        assert writer.delete(["1-1"]) == 1  # of those that were copied
        writer.commit()
    index = open_index(directory)
    assert len(index.segments) == 1 and snapshot(index) == {
        name: item for name, item in before.items() if name != "1-1"
    }
    assert [name for name in index.segments[0].ids if name != "1-1"] == [name for name in before if name != "1-1"]
    assert files_in(directory) == named_in(directory)


@pytest.mark.parametrize(
    "items, first",
    [
        ([], 0),
        ([9], 1),
        ([9, 4, 2, 1], 4),
        ([9, 4, 2, 1, 1], 1),
        ([10, 5, 2, 1, 1], 2),
        ([9, 5, 2, 1, 1], 0),
        ([9, 5, 1, 2], 2),
        ([1, 9], 0),
        ([4, 2, 1, 9, 1], 0),
    ],
)
def test_the_last_segments_that_outgrow_one_become_one(items, first):
    assert module._first_to_merge([(live, 10) for live in items]) == first


def test_large_segments_are_left(monkeypatch):
    monkeypatch.setattr(module, "_MERGED", 30)
    assert module._first_to_merge([(9, 31), (9, 10), (9, 20)]) == 1
    assert module._first_to_merge([(9, 10), (9, 11), (9, 20)]) == 3


def test_merging_keeps_the_order(empty):
    """Commit 6 merges what is left of 4 and 5."""
    with IndexWriter(empty) as writer:
        for number in range(1, 6):
            change(writer, number)
        before = open_index(empty)
        change(writer, 6)
    index = open_index(empty)
    assert (list(map(len, before.segments)), list(map(len, index.segments))) == ([5, 3, 3], [5, 2, 3])
    live = [
        item
        for segment in index.segments
        for row, item in enumerate(segment.ids)
        if segment.deleted is None or not segment.deleted[row]
    ]
    assert live == ["3-1", "1-1", "2-1", "4-1", "5-1", "6-0", "6-1", "always"]
    assert snapshot(index) == content(6) and snapshot(before) == content(5)
    assert files_in(empty) == named_in(empty)
    verify_index(empty)


@pytest.mark.slow
def test_hundreds_of_commits_with_few_descriptors(empty):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        with IndexWriter(empty) as writer:
            for number in range(300):
                writer.add([str(number)], [""], fields_of([(number, 0)]))
                writer.commit()
        index = open_index(empty)
        assert len(index) == 300 and len(index.segments) < 10 and index.commit == 300
        assert index.find(list(map(str, range(300)))).min() >= 0
        assert [item for part in index.segments for item in part.ids] == list(map(str, range(300)))
        with IndexWriter(empty) as writer:
            writer.compact()
            writer.commit()
        assert index.refresh() and len(index.segments) == 1 and len(index) == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_an_index_of_many_segments_takes_no_descriptors(empty, monkeypatch):
    monkeypatch.setattr(module, "_MERGED", 0)
    with IndexWriter(empty) as writer:
        for number in range(20):
            writer.add([str(number)], [""], fields_of([(number, 0)]))
            writer.commit()
    before = len(os.listdir("/proc/self/fd"))
    index = open_index(empty)
    assert len(index.segments) == 20 and len(os.listdir("/proc/self/fd")) == before


def test_a_closed_writer_lets_its_segments_go(empty):
    with IndexWriter(empty) as writer:
        add(writer, "a")
        writer.commit()
    gc.collect()
    with open("/proc/self/maps") as file:
        assert str(empty) not in file.read()
