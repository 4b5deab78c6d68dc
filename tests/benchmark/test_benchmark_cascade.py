"""What tools/benchmark.py cascade is made of, at tiny sizes. No test depends on how long anything takes."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.search import collages as module
from benchmark.search.cascade import measure_cascade, overlap
from benchmark.search.cascade_report import cascade_markdown, draw_cascade
from benchmark.search.cascade_settings import CascadeBenchmark
from benchmark.search.collages import collages
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.errors import InputError

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


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["counted", "masked"])
def test_measure(trained, tiny_data, tmp_path, padding):
    masked = [f"model.score_padding={padding}"] * (padding == "masked")
    checkpoint, first = (
        open_checkpoint(trained("model.fragments=all", *masked)),
        open_checkpoint(trained("model.fragments=1", *masked)),
    )
    amount, said = CascadeBenchmark("test", images=50, queries=6, candidates=(10, 50), centroids=8, threads=1), []
    result = measure_cascade(amount, checkpoint, first if padding == "counted" else None, tiny_data, said.append)
    result = json.loads(json.dumps(result))
    assert [result[key] for key in ("images", "photos", "queries", "k", "dim", "split", "threads")] == [
        50,
        42,
        6,
        10,
        16,
        "test",
        1,
    ]
    fitted = ["fitted", "fitted-4-bits"]
    assert list(result["stages"]) == ["centroids", *["vector"] * (padding == "counted"), *fitted]
    for stage in fitted:
        assert result["budgets"][stage][-1]["agreement"] > 0.8 and result["bytes"][stage] > 0
        assert result["times"][stage]["scored"] >= 10 and result["build"][stage]["correlation"] > 0.5
    exact = result["exact"]
    for stage, (few, all_images) in result["stages"].items():
        assert (few["candidates"], all_images["candidates"], all_images["agreement"]) == (10, 50, 1)
        assert [all_images[key] for key in ("r1", "r10")] == list(result["recall"][stage].values()) and 0 <= few[
            "agreement"
        ] <= 1
        assert few["speedup"] == pytest.approx(exact["ms"] / few["ms"])
    assert [exact[key] for key in ("r1", "r10")] == list(result["recall"]["centroids"].values())
    assert 0 <= exact["r1"] <= exact["r10"] <= 100
    precision = result["precision"]
    assert (precision["k"], precision["rescored"], precision["rescored_agreement"]) == (10, 50, 1) and 0.5 < precision[
        "agreement"
    ] <= 1
    assert [row["queries"] for row in result["memory"]] == [1, 3, 6] and all(
        row["own_mib"] > 1 for row in result["memory"]
    )
    assert f"{result['stages']['centroids'][0]['agreement']:.4f} of the exact ten" in "\n".join(said)
    page = cascade_markdown(result, "python tools/benchmark.py cascade")
    assert (
        "42 photos" in page
        and "8 collages" in page
        and "A collage has half" in page
        and page.count("## First stage by") == len(result["stages"])
    )
    draw_cascade(result, tmp_path / "cascade.png")
    assert (tmp_path / "cascade.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_photos_without_collages(trained, tiny_data):
    checkpoint = open_checkpoint(trained("model.fragments=all"))
    found = [
        measure_cascade(
            CascadeBenchmark("test", n, 6, (5,), centroids=8, threads=1), checkpoint, None, tiny_data, lambda text: None
        )
        for n in (0, 10)
    ]
    assert [[result[key] for key in ("images", "photos")] for result in found] == [[42, 42], [10, 10]]
    assert found[1]["exact"]["r10"] == 100  # the split's ten come first, and the best ten are all
    page = cascade_markdown(found[0], "")
    assert "42 photos" in page and "those of other splits as distractors" in page and "collage" not in page
    with pytest.raises(InputError, match="--images must be 10 or more, the images of .*split test, or 0, found 9"):
        measure_cascade(CascadeBenchmark("test", 9), checkpoint, None, tiny_data)
