"""The sidecar of an index that faiss searches: the same items and scores as a scan, of this commit or not at all."""

import json
import sys

import numpy as np
import pytest
from faiss_items import DIM, FIRST, GONE, SECOND, add, build, files, sign, vectors_of

import inflate_shrink  # noqa: F401  first, as everywhere
from inflate_shrink.errors import InputError
from inflate_shrink.kernel import scores
from inflate_shrink.lock import locked
from inflate_shrink.search import faiss_build, faiss_vectors
from inflate_shrink.search.faiss_build import build_faiss
from inflate_shrink.search.faiss_vectors import StoredVectors, choose_kind, open_faiss, verify_faiss
from inflate_shrink.search.index import IndexWriter, open_index, verify_index


def scan(index, queries):
    """(Q, N) scores of all items by position; deleted: -infinity."""
    values = np.concatenate([scores(list(queries[:, None]), segment.stored("vector")) for segment in index.segments], 1)
    values[:, GONE] = -np.inf
    return values


@pytest.mark.parametrize(
    "items, dim, kind",
    [
        (0, 768, "scan"),
        (10_000, 768, "scan"),
        (100_000, 768, "hnsw"),
        (100_000, 128, "scan"),
        (1_000_000, 768, "hnsw"),
        (10_000_000, 768, "ivf"),
    ],
)
def test_small_is_scanned_large_is_a_graph_and_huge_is_in_lists(items, dim, kind):
    assert choose_kind(items, dim) == kind


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("kind", ["flat", "sq8", "ivf", "hnsw"])
def test_it_finds_what_a_scan_finds_with_the_same_scores(make_index, monkeypatch, kind, precision):
    monkeypatch.setattr(faiss_build, "_BLOCK", 128)  # several, across segments
    index = open_index(make_index(precision))
    assert build(index, "vector", kind) == kind
    assert files(index) == ["vector-3.faiss", "vector-3.json"]
    queries = vectors_of(40, seed=3)
    found, scored = open_faiss(index, "vector").search(queries, 10)
    exact = scan(index, queries)
    assert not set(GONE) & set(found.ravel().tolist())
    assert found.dtype == np.int64 and scored.dtype == np.float32
    np.testing.assert_allclose(scored, np.take_along_axis(exact, found, 1), rtol=1e-5, atol=1e-6)
    assert (np.diff(scored) <= 0).all()
    best = np.argsort(-exact, 1)[:, :10]
    assert np.mean([np.isin(wanted, some).mean() for wanted, some in zip(best, found)]) >= (
        0.98 if kind in ("ivf", "hnsw") else 0.999
    )


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_more_than_there_are_none_and_queries_that_are_none(make_index, kind):
    index = open_index(make_index())
    build(index, "vector", kind)
    vectors = open_faiss(index, "vector")
    live = FIRST + SECOND - len(GONE)
    assert len(vectors) == live
    found, scored = vectors.search(vectors_of(2, 4), live + 5, effort=10_000, threads=2)
    assert (found[:, live:] == -1).all() and (scored[:, live:] == -np.inf).all() and found.shape == (2, live + 5)
    if kind != "hnsw":  # a graph may have a part that no way leads to
        assert all(set(row[:live].tolist()) == set(range(FIRST + SECOND)) - set(GONE) for row in found)
    assert vectors.search(np.empty((0, DIM), np.float32), 3)[0].shape == (0, 3)
    assert vectors.search(vectors_of(2, 4), 0)[0].shape == (2, 0)


def test_effort_looks_at_more_lists(make_index):
    index = open_index(make_index())
    build(index, "vector", "ivf")
    vectors, queries = open_faiss(index, "vector"), vectors_of(40, 5)
    best = np.argsort(-scan(index, queries), 1)[:, :10]
    few, default, all_lists = (
        np.mean([np.isin(wanted, some).mean() for wanted, some in zip(best, vectors.search(queries, 10, effort)[0])])
        for effort in (1, 0, 10_000)
    )
    assert few < default and all_lists > 0.999 and vectors.effort > 1


def test_the_default_effort_is_what_the_queries_given_need(make_index):
    index = open_index(make_index())
    build(index, "vector", "hnsw", queries=StoredVectors(index, "vector").decode(np.arange(20)))
    easy = open_faiss(index, "vector").effort
    build(index, "vector", "hnsw", queries=np.random.default_rng(0).standard_normal((50, DIM), np.float32))
    assert open_faiss(index, "vector").effort >= easy


def test_a_sidecar_is_of_one_commit(make_index):
    index = open_index(make_index())
    assert open_faiss(index, "vector") is None
    build(index, "vector", "flat")
    vectors, queries = open_faiss(index, "vector"), vectors_of(1, 6)
    before = vectors.search(queries, 5)
    with IndexWriter(index.directory) as writer:  # which leaves the sidecar alone
        add(writer, 5000, 10, 7)
        writer.compact()
        writer.commit()
    assert files(index) == ["vector-3.faiss", "vector-3.json"]
    index.refresh()
    verify_index(index.directory)
    assert open_faiss(index, "vector") is None
    np.testing.assert_array_equal(vectors.search(queries, 5), before)  # it keeps its commit
    (index.directory / "faiss" / ".vector-4.faiss.tmp-1").write_text("of a build that was killed")
    build(index, "vector", "sq8")
    assert files(index) == ["vector-5.faiss", "vector-5.json"] and open_faiss(index, "vector").kind == "sq8"


def test_a_sidecar_of_another_index_with_as_many_commits_is_none(make_index):
    index = open_index(make_index())
    build(index, "vector", "flat")
    about = index.directory / "faiss" / "vector-3.json"
    value = json.loads(about.read_text())
    value["segments"][0][0] += "0"
    sign(about, value)
    assert open_faiss(index, "vector") is None
    verify_faiss(index.directory)


def test_scan_removes_it(make_index):
    index = open_index(make_index())
    assert build(index, "vector") == "scan" and not (index.directory / "faiss").exists()
    build(index, "vector", "flat")
    assert build(index, "vector") == "scan" and files(index) == []
    with IndexWriter(index.directory) as writer:
        writer.delete([str(number) for number in range(FIRST + SECOND) if number not in GONE])
        writer.commit()
    index.refresh()
    assert build(index, "vector", "hnsw") == "scan" and files(index) == []


@pytest.mark.parametrize("replaced", [True, False])
def test_a_sidecar_that_goes_while_it_is_opened(make_index, monkeypatch, replaced):
    index = open_index(make_index())
    build(index, "vector", "flat")
    load = faiss_vectors._load

    def build_first(*arguments):
        monkeypatch.undo()
        build(index, "vector", "sq8" if replaced else "scan")
        return load(*arguments)

    monkeypatch.setattr(faiss_vectors, "_load", build_first)
    vectors = open_faiss(index, "vector")
    assert vectors.kind == "sq8" if replaced else vectors is None


@pytest.mark.parametrize(
    "field, kind, message",
    [
        ("fragments", "flat", "field fragments does not hold one vector an item"),
        ("codes", "flat", "field codes does not hold one vector an item"),
        ("none", "auto", "field none does not hold one vector an item"),
        ("vector", "best", "'best' is no way to search vectors; expected auto, scan, ivf"),
    ],
)
def test_what_cannot_be_built(make_index, field, kind, message):
    with pytest.raises(InputError, match=message):
        build_faiss(open_index(make_index()), field, kind)


def test_queries_that_do_not_fit(make_index):
    index = open_index(make_index())
    build(index, "vector", "flat")
    with pytest.raises(InputError, match=r"queries have the shape \(2, 31\), the index holds vectors of 30 dimensions"):
        open_faiss(index, "vector").search(np.zeros((2, 31), np.float32), 3)


def test_one_builds_at_a_time(make_index):
    index = open_index(make_index())
    build(index, "vector", "flat")
    with locked(index.directory / "faiss" / "lock", "faiss"):
        with pytest.raises(InputError, match="faiss: is being written by process"):
            build(index, "vector", "flat")


def test_without_faiss(make_index, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    index = open_index(make_index())
    verify_faiss(index.directory)
    with pytest.raises(
        InputError,
        match=r"index/faiss: needs faiss \(.*\); pip install inflate-shrink\[faiss\], or search with --mode exact",
    ):
        build_faiss(index, "vector", "hnsw")
    assert build_faiss(index, "vector") == "scan" and open_faiss(index, "vector") is None
    (index.directory / "faiss").mkdir()
    about = {
        "format": 1,
        "kind": "flat",
        "effort": 0,
        "size": 1,
        "crc32": "0" * 8,
        "segments": [[e.name, e.deleted_file] for e in index.manifest.segments],
    }
    (index.directory / "faiss" / "vector-3.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="vector-3.faiss: needs faiss"):
        open_faiss(index, "vector")
