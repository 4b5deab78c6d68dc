"""What tools/benchmark.py cascade is made of, at tiny sizes. No test depends on how long anything takes."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.search import cascade_stages as stages_module
from benchmark.search import collages as module
from benchmark.search import embedded as embedded_module
from benchmark.search import throughput
from benchmark.search.cascade import measure_cascade, overlap
from benchmark.search.cascade_quality import _errors, _quality
from benchmark.search.cascade_report import cascade_markdown, draw_cascade
from benchmark.search.cascade_settings import CascadeBenchmark
from benchmark.search.cascade_stages import pooled_rows
from benchmark.search.collages import collages
from benchmark.search.embedded import Embedded, Texts
from benchmark.search.mixing import _recalls
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.errors import InputError
from inflate_shrink.fitted import correlation
from inflate_shrink.kernel import StoredFragments, decode_rows, encode_rows

COUNTS = np.array([1, 4, 5, 6], np.int32)  # regions of four photos


@pytest.fixture
def photos():
    """A store whose region r of photo p is (p, r), zeros after the valid ones."""
    regions = np.stack(np.broadcast_arrays(np.arange(4.0)[:, None], np.arange(6.0)), -1).astype(np.float32)
    regions *= (np.arange(6) < COUNTS[:, None])[..., None]
    return SimpleNamespace(image_ids=list("abcd"), read_regions=lambda rows: (regions[rows], COUNTS[rows]))


def test_a_collage_has_halves_of_two_photos(photos, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 8)
    batches = list(collages(photos, 30, seed=1))
    assert [len(counts) for _, counts in batches] == [8, 8, 8, 6]
    pairs, orders = set(), set()
    for regions, count in zip(*map(np.concatenate, zip(*batches))):
        rows = [tuple(map(int, row)) for row in regions[:count]]
        found = dict.fromkeys(photo for photo, _ in rows)
        assert len(found) == 2 and len(set(rows)) == count and not regions[count:].any()
        for photo in found:
            chosen = [region for owner, region in rows if owner == photo]
            assert len(chosen) == max(1, COUNTS[photo] // 2) and max(chosen) < COUNTS[photo]
            orders.add((photo, *chosen))
        pairs.add(frozenset(found))
    assert len(pairs) == 6 and len(orders) > 15  # every two, and not always the first half


def test_collages_by_seed(photos):
    one, again, other = (next(collages(photos, 20, seed))[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other) and not list(collages(photos, 0))


def test_overlap_by_hand():
    assert overlap([["a", "b"], ["c", "d"]], [["b", "x", "y"], ["d", "c"]]) == 0.75
    assert overlap([np.array([3, 4, 5, 6])], [np.array([6, 1, 2, 0])]) == 0.25


def made_of_four():
    """Return four images of two fragments each, of which two captions are the queries."""
    rows = np.eye(4, dtype=np.float32)[[0, 1, 1, 2, 2, 3, 3, 0]]
    texts = Texts([rows[:1], rows[2:4]], np.eye(3, dtype=np.float32)[:2])
    return Embedded(
        list("abcd"), 10, rows, np.full(4, 2), np.eye(4, 3, dtype=np.float32), ["x", "y"], texts, ["a", "b"], texts, None, 0
    )  # fmt: skip


def test_blocks_are_the_encoded_images_and_then_copies(monkeypatch):
    monkeypatch.setattr(embedded_module, "BLOCK", 3)
    embedded = made_of_four()
    blocks = list(embedded.blocks())
    assert [name for block in blocks for name in block.ids] == [*"abcd", *(f"copy-{number}" for number in range(4, 10))]
    rows, first = (np.concatenate([getattr(block, side) for block in blocks]) for side in ("rows", "first"))
    np.testing.assert_array_equal(rows[:8], embedded.rows)
    assert len(rows) == 20 and len(first) == 10
    np.testing.assert_allclose(np.linalg.norm(rows[8:], axis=1), 1, rtol=1e-5)
    cosines = rows[8:] @ embedded.rows.T
    assert (cosines.max(1) > 0.6).all() and (cosines.max(1) < 0.9999).all()  # jittered, but like one of them


def test_a_projection_keeps_products():
    projection = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 4)))[0].T.astype(np.float32)
    embedded = replace(made_of_four(), projection=projection)
    rows, lengths = embedded.some(np.array([2, 0]))
    assert rows.shape == (4, 9) and lengths.tolist() == [2, 2]
    one, other = embedded.projected(embedded.queries.fragments)
    np.testing.assert_allclose(one @ rows.T, [[0, 0, 1, 0]], atol=1e-6)
    np.testing.assert_allclose(other @ rows.T, [[0, 0, 0, 1], [1, 0, 0, 0]], atol=1e-6)


def test_pooled_rows_are_means_of_clusters(monkeypatch):
    monkeypatch.setattr(stages_module, "POOLED", 2)
    vectors = np.array([[2, 0], [4, 0], [0, 6], [1, 1]], np.float32)
    found = pooled_rows(StoredFragments(*encode_rows(vectors, "int8"), np.array([0, 3, 4]), "int8", 2))
    assert found.offsets.tolist() == [0, 2, 3]
    np.testing.assert_allclose(decode_rows(found.values, found.scales, "int8", 2), [[3, 0], [0, 6], [1, 1]], rtol=0.02)


def test_errors_and_candidates_by_hand():
    exact = np.array([[4.0, 3, 2, 1]])
    found = np.array([[4.0, 2, 3, 1]])
    assert abs(correlation(_errors(found, exact), exact)) < 1e-9
    assert _quality(found, exact, np.array([[0, 1]])) == {"rho": pytest.approx(0.8), "candidates": 3}
    assert _recalls(found, np.array([2])) == [0.0, 100.0, 100.0]


@pytest.mark.slow
@pytest.mark.parametrize("with_first", [True, False])
def test_measure(trained, tiny_data, tmp_path, with_first, monkeypatch):
    monkeypatch.setattr(throughput, "_SECONDS", 0.01)
    checkpoint, first = open_checkpoint(trained("model.fragments=all")), open_checkpoint(trained("model.fragments=1"))
    if not with_first:
        first = None
    settings = dict(images=60, encoded=50, queries=6, candidates=(10, 60), centroids=8, threads=1, callers=2)
    if with_first:  # all is encoded
        settings = {**settings, "images": 50, "candidates": (10, 50), "tried": True}
    amount, said = CascadeBenchmark("test", **settings), []
    result = measure_cascade(amount, checkpoint, first, tiny_data, said.append, tmp_path / "kept")
    result = json.loads(json.dumps(result))
    keys = ("images", "encoded", "photos", "queries", "k", "dim", "split", "threads")
    assert [result[key] for key in keys] == [amount.images, 50, 42, 6, 10, 16, "test", 1]
    fitted = ["fitted", "fitted-4-bits"]
    assert list(result["stages"]) == ["centroids", *["vector"] * with_first, *fitted, *["three"] * with_first]
    for stage in fitted:
        assert result["budgets"][stage][-1]["agreement"] > 0.8 and result["bytes"][stage] > 0
        assert result["times"][stage]["scored"] >= 10 and result["build"][stage]["correlation"] > 0.5
    exact = result["exact"]
    three = result["stages"].pop("three", None)
    assert (three is not None) == with_first and all(row["agreement"] > 0.8 for row in three or [])
    for few, all_images in result["stages"].values():
        assert (few["candidates"], all_images["candidates"], all_images["agreement"]) == (10, amount.images, 1)
        assert [all_images[key] for key in ("r1", "r10")] == [exact[key] for key in ("r1", "r10")]
        assert 0 <= few["agreement"] <= 1 and few["speedup"] == pytest.approx(exact["ms"] / few["ms"])
    assert result["throughput"][0]["same"] and result["throughput"][1]["at_once"] > 0
    assert [row["queries"] for row in result["memory"]] == [1, 3, 6]
    qualities = result["quality"]["stages"]
    assert qualities["fitted"]["rho"] > qualities["fitted-4-bits"]["rho"] - 0.01 > 0.5
    if with_first:
        precision = result["precision"]
        assert precision["rescored_agreement"] == 1 and 0.5 < precision["agreement"] <= 1
        assert any("F's vector" in tried["what"] for tried in result["quality"]["tried"])
        assert len(result["mixing"]["split"]) == len(result["mixing"]["weights"])
    else:
        again = measure_cascade(amount, checkpoint, None, tiny_data, said.append, tmp_path / "kept")
        assert again["quality"] == result["quality"] and again["budgets"].keys() == result["budgets"].keys()
        with pytest.raises(InputError, match="kept: made for .*'queries': 6.* give another directory"):
            measure_cascade(replace(amount, queries=5), checkpoint, None, tiny_data, said.append, tmp_path / "kept")
    page = cascade_markdown(result, "python tools/benchmark.py cascade")
    assert "42 photos" in page and "8 collages" in page and "A collage has half" in page
    assert ("10 jittered copies" in page) != with_first
    assert page.count("## First stage by") == len(result["stages"])
    draw_cascade(result, tmp_path / "cascade.png")
    assert (tmp_path / "cascade.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_photos_without_collages_and_projected_ones(trained, tiny_data):
    checkpoint = open_checkpoint(trained("model.fragments=all"))
    settings = dict(queries=6, candidates=(5,), centroids=8, threads=1, stages=("centroids",))
    projected = CascadeBenchmark("test", 0, dim=24, **{**settings, "stages": ("fitted",)})
    projected = measure_cascade(projected, checkpoint, None, tiny_data, lambda text: None)
    assert projected["dim"] == 24 and projected["quality"]["stages"]["fitted"]["rho"] > 0.5
    assert "24 dimensions, to which they were projected" in cascade_markdown(projected, "")
    found = [
        measure_cascade(CascadeBenchmark("test", n, **settings), checkpoint, None, tiny_data, lambda text: None)
        for n in (0, 10)
    ]
    assert [[result[key] for key in ("images", "photos")] for result in found] == [[42, 42], [10, 10]]
    assert found[1]["exact"]["r10"] == 100  # the split's ten come first, and the best ten are all
    page = cascade_markdown(found[0], "")
    assert "42 photos" in page and "those of other splits as distractors" in page and "collage" not in page
    with pytest.raises(InputError, match="--images must be 10 or more, the images of .*split test, or 0, found 9"):
        measure_cascade(CascadeBenchmark("test", 9), checkpoint, None, tiny_data)


def test_refused():
    for wrong in (dict(queries=0), dict(candidates=(0, 5)), dict(images=-1), dict(callers=0)):
        with pytest.raises(InputError, match="must be 1 or more"):
            CascadeBenchmark(**wrong)
