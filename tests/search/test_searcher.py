"""Search finds what the model itself finds, whatever the stages, the segments and what is deleted."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from index_items import QUERY

from inflate_shrink.data.store import open_store
from inflate_shrink.engine.evaluate import score_all
from inflate_shrink.errors import InputError
from inflate_shrink.kernel import decode_rows
from inflate_shrink.search.build import Models, add_to_index
from inflate_shrink.search.faiss_build import build_faiss
from inflate_shrink.search.index import IndexWriter, open_index
from inflate_shrink.search.index import writer as index_writer
from inflate_shrink.search.searcher import Searcher

STAGES = {"vector": {"first": True}, "centroids": {"centroids": 16}}
GONE = ["train-00003", "val-00000", "val-00005", "test-00009"]
LIVE = 42 - len(GONE)
stages = pytest.mark.parametrize("stage", STAGES)


@pytest.fixture(scope="module")
def reference(checkpoint, tiny_data):
    """A function: the model, its score_padding, texts (default: all captions) -> its own scores (images, texts)."""
    store = open_store(tiny_data)

    def score(name, padding="counted", texts=None):
        of = checkpoint(name, padding)
        return score_all(
            of.load_model(),
            store,
            of.tokenizer()(store.captions if texts is None else texts),
            np.arange(len(store.image_ids)),
        )

    return score


@pytest.fixture(scope="module")
def image_ids(tiny_data):
    return open_store(tiny_data).image_ids


@pytest.fixture
def in_segments(own_index, checkpoint, tiny_data, monkeypatch):
    """A function: stage -> an index of all scenes that was made in three parts, val, test and train, and lacks GONE."""
    monkeypatch.setattr(index_writer, "_MERGED", 0)

    def make(stage):
        directory = own_index("B", split="val", **STAGES[stage])
        models = Models(checkpoint("B"), checkpoint("F") if "first" in STAGES[stage] else None)
        assert [add_to_index(directory, models, tiny_data, split) for split in ("test", "train")] == [10, 24]
        with IndexWriter(directory) as writer:
            writer.delete(GONE)
            writer.commit()
        return directory

    return make


def assert_are(hits, expected, atol=1e-4):
    """The hits are the best of ``expected`` (id -> score), best first, each once, with its score."""
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1)) and len({hit.id for hit in hits}) == len(hits)
    found = [hit.score for hit in hits]
    np.testing.assert_allclose(found, [expected[hit.id] for hit in hits], atol=atol)
    np.testing.assert_allclose(found, sorted(expected.values(), reverse=True)[: len(hits)], atol=atol)
    assert found == sorted(found, reverse=True)


def assert_let_through(chosen, scores, tolerance):
    """``chosen`` are the best of ``scores`` (id -> score), up to what rounding may swap."""
    assert (
        min(scores[item] for item in chosen)
        >= max(score for item, score in scores.items() if item not in chosen) - tolerance
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, padding",
    [("B", "counted"), ("B", "masked"), ("F", "counted"), ("I", "counted"), ("I", "masked"), ("I", "weighed")],
)
def test_exact_text_to_image(built, reference, image_ids, name, padding):
    searcher = Searcher(built(name, padding))
    texts = ["box", QUERY, "a green cone . " * 20]  # with padding, and cut
    assert searcher.modes == ("exact",) and len(searcher) == 42
    for text, scores in zip(texts, reference(name, padding, texts).T):
        assert np.ptp(scores) > 1e-3
        hits = searcher.search(text, k=42)
        assert_are(hits, dict(zip(image_ids, scores)))
        assert searcher.search(text, k=5) == hits[:5] == searcher.search(text, k=5, mode="exact")
    assert Path(hits[0].file).is_file() and Path(hits[0].file).stem == hits[0].id


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, padding", [("B", "counted"), ("B", "masked"), ("F", "masked"), ("I", "masked"), ("I", "weighed")]
)
def test_exact_image_to_text(built, reference, tiny_data, name, padding):
    store = open_store(tiny_data)
    searcher = Searcher(built(name, padding, holds="captions"))
    names = [f"{store.image_ids[row]}#{number}" for number, row in enumerate(store.caption_rows)]
    for row in (0, 30):
        regions, counts = store.read_regions([row])
        hits = searcher.search_image(regions[0, : counts[0]], k=len(names))
        assert_are(hits, dict(zip(names, reference(name, padding)[row])))
    assert hits[7].file == store.captions[int(hits[7].id.partition("#")[2])]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@pytest.mark.parametrize("name", "BI")
def test_precisions(built, reference, image_ids, name, precision):
    hits, scores = Searcher(built(name, precision=precision)).search(QUERY, k=42), reference(name, texts=[QUERY])[:, 0]
    assert_are(hits, dict(zip(image_ids, scores)), 0.004 * scores.max())  # of a sum of 36 cosines or so


@pytest.mark.slow
@stages
def test_a_cascade_of_all_is_exact(in_segments, built, reference, image_ids, stage):
    searcher, expected = Searcher(in_segments(stage)), dict(zip(image_ids, reference("B", texts=[QUERY])[:, 0]))
    whole = Searcher(built("B"))
    of_whole = {hit.id: hit.score for hit in whole.search(QUERY, k=42)}
    expected = {item: expected[item] for item in image_ids if item not in GONE}
    assert searcher.modes == ("cascade", "exact") and len(searcher) == LIVE and len(searcher.index.segments) == 3
    exact = searcher.search(QUERY, k=100, mode="exact")
    assert len(exact) == LIVE
    assert_are(exact, expected)
    assert [hit.score for hit in exact] == pytest.approx([of_whole[hit.id] for hit in exact], abs=1e-6)
    for k, candidates in ((100, 1), (5, LIVE), (5, 500)):  # k is the least number of candidates
        assert searcher.search(QUERY, k, candidates=candidates) == exact[:k]


@pytest.mark.slow
@stages
@pytest.mark.parametrize("n", [1, 7, LIVE - 1])
def test_fewer_candidates(in_segments, reference, image_ids, stage, n):
    """The exact order of what the first stage lets through, which is here computed by NumPy."""
    searcher = Searcher(in_segments(stage))
    segments, (fragments, _) = searcher.index.segments, searcher.encode(QUERY)
    hits = searcher.search(QUERY, k=n, candidates=1)
    exact = dict(zip(image_ids, reference("B", texts=[QUERY])[:, 0]))
    chosen = {hit.id for hit in hits}
    assert len(hits) == n and searcher.search(QUERY, k=1, candidates=n) == hits[:1]
    assert_are(hits, {item: exact[item] for item in chosen})
    if stage == "vector":
        scores, tolerance = dict(zip(image_ids, reference("F", texts=[QUERY])[:, 0])), 0.005
    else:
        products = fragments @ np.load(searcher.directory / "centroids.npy").T
        nearest = np.concatenate([segment.stored("codes").values.reshape(len(segment), -1) for segment in segments])
        scores = dict(zip([item for segment in segments for item in segment.ids], products[:, nearest].max(2).sum(0)))
        tolerance = len(fragments) * np.ptp(products, 1).max() / 127
    scores = {item: scores[item] for item in image_ids if item not in GONE}
    assert chosen <= set(scores)
    assert_let_through(chosen, scores, tolerance)
    assert np.ptp(list(scores.values())) > 4 * tolerance  # the test can fail


@pytest.mark.slow
def test_first_stage_is_cheaper_and_therefore_differs(in_segments):
    """So that the tests above compare something: few candidates lose some of the exact ten."""
    searcher = Searcher(in_segments("vector"))
    found = [{hit.id for hit in searcher.search(QUERY, 10, mode, candidates=1)} for mode in ("exact", "cascade")]
    assert 0 < len(found[0] & found[1]) < 10


@pytest.mark.slow
@stages
def test_only_some(in_segments, stage):
    searcher = Searcher(in_segments(stage))
    exact = searcher.search(QUERY, k=42, mode="exact")
    some = [hit.id for hit in exact[::3]]
    expected = [hit._replace(rank=rank) for rank, hit in enumerate(exact[::3], 1)]
    for mode in searcher.modes:
        assert searcher.search(QUERY, 100, mode, only=[*reversed(some), *some]) == expected
        assert searcher.search(QUERY, 3, mode, only=some) == expected[:3]
        with pytest.raises(InputError, match="1 of 2 ids not in the index: 'nobody'"):
            searcher.search(QUERY, mode=mode, only=[some[0], "nobody"])
        with pytest.raises(InputError, match="1 of 1 ids not in the index: 'val-00000'"):
            searcher.search(QUERY, mode=mode, only=GONE[1:2])
    few = searcher.search(QUERY, 3, "cascade", candidates=3, only=some)
    assert len(few) == 3 and {hit.id for hit in few} <= set(some)
    assert [hit.score for hit in few] == [hit.score for hit in expected if hit.id in {hit.id for hit in few}]


@stages
def test_an_index_that_lost_everything(in_segments, stage):
    directory = in_segments(stage)
    searcher = Searcher(directory)
    assert searcher.search(QUERY) and not searcher.refresh()
    with IndexWriter(directory) as writer:
        best = searcher.search(QUERY, k=1, mode="exact")[0]
        writer.delete([best.id])
        writer.commit()
        assert searcher.search(QUERY, k=1, mode="exact") == [best]  # of the commit it opened
        assert searcher.refresh() and len(searcher) == LIVE - 1
        assert all(best.id not in {hit.id for hit in searcher.search(QUERY, 100, mode)} for mode in searcher.modes)
        writer.delete([hit.id for hit in searcher.search(QUERY, 100)])
        writer.commit()
    assert searcher.refresh() and not searcher.refresh() and len(searcher) == 0
    assert [searcher.search(QUERY, k, mode) for k in (1, 50) for mode in searcher.modes] == [[]] * 4


@pytest.mark.slow
def test_threads_search_while_the_index_moves_on(in_segments):
    """Each answer is the whole answer of one commit: the best so far is deleted, over and over."""
    searcher = Searcher(directory := in_segments("vector"))
    query, mode = searcher.encode(QUERY), "cascade"
    left = [hit.id for hit in searcher.search(QUERY, LIVE, "exact")]
    ends = threading.Event()

    def search():
        answers = []
        while not ends.is_set() or not answers:
            answers.append(tuple(hit.id for hit in searcher.search_fragments(*query, LIVE, mode)))
        return answers

    def refresh():
        while not ends.is_set():
            searcher.refresh()

    with ThreadPoolExecutor(8) as threads, IndexWriter(directory) as writer:
        searching, refreshing = [threads.submit(search) for _ in range(5)], threads.submit(refresh)
        try:
            for gone in left[:-1]:
                writer.delete([gone])
                writer.commit()
                if gone == left[len(left) // 2]:
                    writer.compact()
                    writer.commit()
        finally:
            ends.set()
        refreshing.result()
        answers = {answer for thread in searching for answer in thread.result()}
    assert len(answers) > 1 and answers <= {tuple(left[begin:]) for begin in range(len(left))}
    searcher.refresh()
    assert [hit.id for hit in searcher.search(QUERY, LIVE)] == left[-1:]


def like_scores(directory, item):
    """id -> the late interaction of an item's stored fragments with those of each other item, by NumPy."""
    stored = {}
    for segment in open_index(directory).segments:
        rows = segment.stored("fragments")
        vectors = decode_rows(rows.values, rows.scales, rows.precision, rows.dim, rows.center)
        live = np.ones(len(segment), bool) if segment.deleted is None else ~segment.deleted
        stored.update({segment.ids[i]: vectors[rows.offsets[i] : rows.offsets[i + 1]] for i in np.flatnonzero(live)})
    query = stored.pop(item)
    return {other: (query @ fragments.T).max(1).sum() for other, fragments in stored.items()}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("name", "BIF")
def test_like(built, name, precision):
    directory = built(name, precision=precision)
    expected = like_scores(directory, "val-00003")
    spread = np.ptp(list(expected.values()))
    assert spread > 1e-3
    hits = Searcher(directory).search_like("val-00003", k=100)
    assert len(hits) == 41 and "val-00003" not in {hit.id for hit in hits}
    assert_are(hits, expected, spread / 5 if precision == "int8" else 1e-4)


@stages
def test_like_as_a_cascade(in_segments, stage):
    searcher = Searcher(directory := in_segments(stage))
    expected = like_scores(directory, "test-00003")
    exact = searcher.search_like("test-00003", k=100, mode="exact")
    assert_are(exact, expected)
    assert len(exact) == LIVE - 1
    assert (
        searcher.search_like("test-00003", k=100) == exact
        and searcher.search_like("test-00003", k=4, candidates=LIVE) == exact[:4]
    )
    few = searcher.search_like("test-00003", k=3, candidates=1)
    assert len(few) == 3 and [hit.rank for hit in few] == [1, 2, 3]
    assert_are(few, {hit.id: expected[hit.id] for hit in few})
    some = [exact[7].id, exact[2].id, "test-00003"]
    assert [hit.id for hit in searcher.search_like("test-00003", only=some)] == [exact[2].id, exact[7].id]
    for gone in ("val-00000", "nobody"):
        with pytest.raises(InputError, match=f"1 of 1 ids not in the index: '{gone}'"):
            searcher.search_like(gone)
    with pytest.raises(InputError, match="must be 1 or more, found 0"):
        searcher.search_like("test-00003", k=0)


def test_compact_changes_nothing(in_segments):
    searcher = Searcher(directory := in_segments("centroids"))
    before = {mode: searcher.search(QUERY, 10, mode, candidates=12) for mode in searcher.modes}
    with IndexWriter(directory) as writer:
        writer.compact()
        writer.commit()
    assert searcher.refresh() and len(searcher.index.segments) == 1
    assert {mode: searcher.search(QUERY, 10, mode, candidates=12) for mode in searcher.modes} == before


def test_vectors_are_those_of_f(built, reference, image_ids):
    index = open_index(built("B", first=True))
    rows = index.segments[0].stored("vector")
    vectors = decode_rows(rows.values, rows.scales, rows.precision, rows.dim, rows.center)
    _, vector = Searcher(index.directory).encode(QUERY)
    np.testing.assert_allclose(vectors @ vector, reference("F", texts=[QUERY])[:, 0], atol=0.02)


def test_faiss_as_first_stage(own_index):
    pytest.importorskip("faiss", reason="faiss is not installed: pip install inflate-shrink[faiss]")
    directory = own_index("F")
    exact = Searcher(directory).search(QUERY, k=6)
    build_faiss(open_index(directory), "fragments", "flat", threads=1)
    searcher = Searcher(directory)
    assert searcher.modes == ("cascade", "exact")
    assert searcher.search(QUERY, k=6, candidates=6) == exact
    assert searcher.search(QUERY, k=1, only=[exact[3].id]) == [exact[3]._replace(rank=1)]
    with IndexWriter(directory) as writer:
        writer.delete([exact[0].id])
        writer.commit()
    assert searcher.refresh() and searcher.modes == ("exact",)
    assert [hit.id for hit in searcher.search(QUERY, k=5)] == [hit.id for hit in exact[1:]]
