"""A first stage that is fitted when an index is built: files, searches, budgets, additions, and what is damaged."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from index_items import QUERY, ids_of

from inflate_shrink.errors import InputError
from inflate_shrink.kernel.cascade import Budget
from inflate_shrink.search import fit_stage as fit_module
from inflate_shrink.search.build import Models, add_to_index
from inflate_shrink.search.describe import describe_index
from inflate_shrink.search.index import IndexWriter, open_index, verify_index
from inflate_shrink.search.searcher import Searcher
from inflate_shrink.search.stages import budgets as module
from inflate_shrink.search.stages import measure_budgets, read_budgets, read_fit
from inflate_shrink.search.stages.budgets import BudgetRow, Budgets, _rows


@pytest.fixture
def index(own_index):
    return own_index("B", split="train", precision="int8", stage_bits=8)


def test_a_cascade_finds_the_exact_best_with_enough_candidates(index):
    searcher = Searcher(index)
    assert searcher.modes == ("cascade", "exact")
    exact = searcher.search(QUERY, 5, "exact")
    n = len(searcher)
    most = searcher.search(QUERY, 5, candidates=n - 1)
    assert len({hit.id for hit in most} & {hit.id for hit in exact}) >= 4
    scores = {hit.id: hit.score for hit in exact}
    assert [hit.score for hit in most] == pytest.approx([scores.get(hit.id, hit.score) for hit in most])
    assert searcher.search(QUERY, 5, recall=1) == exact
    assert searcher.search(QUERY, 5, candidates=n) == exact  # all of them
    few = searcher.search(QUERY, 2, candidates=2)
    assert len(few) == 2 and {hit.id: hit.score for hit in exact}.get(few[0].id, few[0].score) == few[0].score
    only = [hit.id for hit in exact[1:4]]
    assert [hit.id for hit in searcher.search(QUERY, 2, candidates=2, only=only)][0] in only
    assert searcher.search_like(exact[0].id, 3) == searcher.search_like(exact[0].id, 3, "exact")


def test_budgets_are_measured_and_told(index):
    opened = open_index(index)
    budgets = read_budgets(opened)
    assert budgets == measure_budgets(opened) and budgets.items == len(opened)
    assert {row.k for row in budgets.rows} <= {10, 100} and budgets.rows
    for row in budgets.rows:
        assert row.found >= row.recall and row.k <= row.scored <= row.first
    text = describe_index(opened)
    assert f"correlation {budgets.correlation:.4f}" in text and text.count("   ") > len(budgets.rows)
    verify_index(index)


def test_the_cheapest_budget_that_reaches_a_recall():
    # Two queries of 64 items each. The best of the second is the third of the first stage, 0.5 better than expected.
    first = np.tile(np.linspace(10, 0, 64, dtype=np.float32), (2, 1))
    exact = first.copy()
    exact[1, 2] = 11
    rows = _rows(first, exact, 1, exact.max(1))
    assert {(row.recall, row.first, row.scored) for row in rows} == {(recall, 3, 3.0) for recall in module.RECALLS}
    budgets = Budgets(64, 2, 1.0, tuple(rows))
    assert budgets.choose(1, 0.97) == Budget(3, spreads=np.inf) and budgets.choose(2, 0.5) is None
    assert Budgets(9, 1, 1.0, (BudgetRow(10, 0.9, 12, 2.0, 0.9, 12),)).choose(5, 0.9) == Budget(12, spreads=2.0)


def test_budgets_are_measured_on_captions_that_no_model_was_trained_on(monkeypatch):
    monkeypatch.setattr(fit_module, "HELD", 2)
    monkeypatch.setattr(fit_module, "CAPTIONS", 3)

    def sampled(splits, without=()):
        store = SimpleNamespace(caption_splits=splits, captions=[f"{split} {i}" for i, split in enumerate(splits)])
        return [caption.split()[0] for caption in fit_module.sample_captions(store, without=without)]

    splits = ["train"] * 5 + ["val"] * 3 + ["test"] * 4
    assert sampled(splits) == ["val", "val", "train", "train", "train"]
    assert sampled(splits, {"val 5", "val 6"}) == ["train"] * 5  # too few are left
    assert sampled(["train"] * 4 + ["test"] * 9) == ["train"] * 4
    assert sampled(["own"] * 9) == ["own"] * 5
    assert sampled([]) == []


def test_additions_get_vectors_and_budgets_of_their_own(index, checkpoint, tiny_data):
    before = read_budgets(open_index(index))
    fitted = read_fit(open_index(index))
    assert add_to_index(index, Models(checkpoint("B")), tiny_data, "val")
    opened = open_index(index)
    after = read_budgets(opened)
    assert after.items == len(opened) > before.items
    assert [name for name in opened.manifest.files if "budgets" in name] == [f"stages/budgets-{opened.commit}.json"]
    assert np.array_equal(read_fit(opened).fit.solver, fitted.fit.solver)
    ids = ids_of(index)
    with IndexWriter(index) as writer:
        writer.delete(ids[::2])
        writer.commit()
    searcher = Searcher(index)
    found = searcher.search(QUERY, 3, candidates=3)
    assert {hit.id for hit in found} <= set(ids[1::2]) and len(found) == 3


@pytest.mark.parametrize("name", ["stages/query.npz", "budgets", "fitted.rows"])
def test_a_damaged_or_missing_file_is_named_and_exact_search_goes_on(index, name):
    hits = Searcher(index).search(QUERY, 3, "exact")
    (path,) = [path for path in index.rglob("*") if path.is_file() and name in str(path)]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=path.name):
        verify_index(index)
    path.unlink()
    with pytest.raises(InputError, match=path.name):
        Searcher(index)
    assert Searcher(index, stages=False).search(QUERY, 3) == hits


def test_a_changed_bit_in_what_is_read_whole_is_found(index):
    for name in ("stages/query.npz", "stages/budgets-1.json"):
        kept = (index / name).read_bytes()
        (index / name).write_bytes(kept[:-3] + bytes([kept[-3] ^ 1]) + kept[-2:])
        with pytest.raises(InputError, match=f"{name}.*checksum"):
            Searcher(index)
        (index / name).write_bytes(kept)


def test_refused(index, built, tmp_path, checkpoint, tiny_data):
    searcher = Searcher(index)
    for recall in (0, 1.5, -1):
        with pytest.raises(InputError, match="above 0 and at most 1"):
            searcher.search(QUERY, recall=recall)
    with pytest.raises(InputError, match="not measured; give a number of candidates"):
        Searcher(built("B", first=True)).search(QUERY, recall=0.9)
    from inflate_shrink.search.build import BuildSettings, build_index

    for wrong in (dict(holds="captions"), dict(centroids=-1)):
        with pytest.raises(InputError, match="stages are fitted to an index of images"):
            build_index(tmp_path / "new", Models(checkpoint("B")), tiny_data, "", BuildSettings(stage_bits=4, **wrong))


def test_a_searcher_is_shared_by_threads_while_it_is_refreshed(index, checkpoint):
    from threading import Thread

    copy = shutil.copytree(index, index.parent / "copy")
    searcher, wrong = Searcher(copy), []
    fragments, _ = searcher.encode(QUERY)
    ids = ids_of(copy)
    expected = {}
    for commit in range(3):
        expected[commit] = Searcher(copy).search_fragments(fragments, k=3, candidates=5)
        with IndexWriter(copy) as writer:
            writer.delete([ids[commit]])
            writer.commit()

    def search():
        for _ in range(60):
            found = searcher.search_fragments(fragments, k=3, candidates=5)
            wrong.extend([] if len({hit.id for hit in found}) == 3 else [found])

    threads = [Thread(target=search) for _ in range(8)]
    for thread in threads:
        thread.start()
    searcher.refresh()
    for thread in threads:
        thread.join()
    assert not wrong and not {hit.id for hit in searcher.search_fragments(fragments, k=3, candidates=5)} & {*ids[:3]}
