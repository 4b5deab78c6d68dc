"""What tools/benchmark.py latency is made of, at tiny sizes. No test depends on how long anything takes."""

import os
from types import SimpleNamespace

import pytest

from benchmark.search import scoring
from benchmark.search.latency import LatencyBenchmark, extrapolate, measure_latency
from benchmark.search.latency_report import latency_markdown, scoring_text
from benchmark.search.scoring import OnDevice, Shape, measure_scoring, measure_scoring_on_device
from inflate_shrink.errors import InputError

SHAPE = Shape("B", 4, 8)


def test_extrapolation():
    found = extrapolate({"pairs": 64, "ms_per_pair": 2.5}, [1000, 5000])
    assert found["extrapolated"] == "extrapolated from 64 pairs"
    assert found["times"] == [
        {"candidates": 1000, "ms": 2500, "paper": 5000},
        {"candidates": 5000, "ms": 12500, "paper": None},
    ]


def test_scoring_in_memory():
    found = measure_scoring([SHAPE], [20, 10], 1, 0, seconds=0)
    assert [(one["precision"], one["candidates"], one["stored"]) for one in found] == [
        (precision, count, "memory") for precision in scoring.PRECISIONS for count in (10, 20)
    ]
    assert found[0]["bytes"] == 10 * (4 * (8 + 4) + 8) and all(one["ms"] > 0 for one in found)


@pytest.mark.parametrize("free, stored", [(10**12, "disk"), (10, None)])
def test_scoring_beyond_memory(free, stored, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(scoring, "items_that_fit", lambda items, size: 10)
    monkeypatch.setattr(scoring.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    found = {(one["precision"], one["candidates"]): one for one in measure_scoring([SHAPE], [10, 20], 1, 0, seconds=0)}
    assert found["int8", 10]["stored"] == "memory" and found["int8", 20]["stored"] == stored
    assert found["int8", 20].get("ms", 0) > 0 if stored else "nor on disk" in found["int8", 20]["reason"]
    assert "only int8 is measured from disk" in found["float32", 20]["reason"]
    assert not os.listdir(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:float16 products", "ignore:No ccache")
def test_scoring_on_device(monkeypatch):
    assert OnDevice(0).time(fused=False, candidates=5, fragments=2, dim=8, seconds=0)["ms"] > 0
    monkeypatch.setattr(scoring, "items_that_fit", lambda items, size: min(items, 5))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = {
        (one["way"], one["candidates"]): one for one in measure_scoring_on_device([SHAPE], [5, 6], 1, 0, seconds=0)
    }
    assert found["Paddle ops", 5]["ms"] > 0 and found["Paddle ops", 5]["stored"] == "memory"
    assert found["fused kernel", 5]["stored"] is None and found["fused kernel", 5]["reason"]
    assert "do not fit" in found["Paddle ops", 6]["reason"]


def test_report_of_known_times():
    common = {"model": "B", "fragments": 32, "dim": 768, "bytes": 1}
    measured = {"ms": 1.0, "median_ms": 90.0, "calls": 3}
    result = {
        "environment": {"date": "2026-11-21T00:00:00", "processor": "P", "cores": 2, "load": 0.0, "versions": {"paddle": "3"}},
        "seed": 0, "threads": 2, "device": "cpu", "candidates": [100_000, 1_000_000], "cross": None, "on_device": None,
        "encoding": [{"model": "B", "eager": measured, "exported": {**measured, "median_ms": 7.0}, "paper": 2}],
        "scoring": [
            {**common, "precision": "int8", "candidates": 100_000, "stored": "memory", **measured, "paper": 82},
            {**common, "precision": "int8", "candidates": 1_000_000, "stored": "disk", **measured, "paper": None},
            {**common, "precision": "float32", "candidates": 100_000, "stored": "memory", **measured, "paper": 82},
            {**common, "precision": "float32", "candidates": 1_000_000, "stored": None, "reason": "too large", "paper": None},
        ],
    }  # fmt: skip
    text, page = scoring_text(result), latency_markdown(result, "the command")
    assert (
        "90.0 ms, 32 x 32, from memory; the paper's V100 82 ms" in text
        and "not measured: too large" in text
        and "Paddle has none here" in text
    )
    for line in (
        "    the command",
        "| B | 7.00 | 90.00 | 2 |",
        "| B | int8 | 90.00 | 90.00* | 82 |",
        "| B | fp32 | 90.00 | - | 82 |",
        "- B, fp32, 1,000,000: too large.",
    ):
        assert line in page.splitlines()


@pytest.mark.parametrize(
    "amount, message",
    [
        (dict(candidates=(10, 0)), "--candidates must be 1 or more, found 0"),
        (dict(pairs=0), "--pairs must be 1"),
        (dict(threads=-1), "--threads must be 0"),
        (dict(seed=-1), "--seed must be 0"),
    ],
)
def test_amounts_out_of_range(amount, message):
    with pytest.raises(InputError, match=message):
        LatencyBenchmark(("F.yaml",), **amount)


@pytest.mark.parametrize(
    "models, cross, message",
    [
        ("cross", "", "is cross; give a cross-BERT to --cross"),
        ("", "late_interaction", "is late_interaction; give"),
        ("none", "", "no such config"),
    ],
)
def test_wrong_models_are_found_before_anything_is_measured(tmp_path, models, cross, message):
    shown = []
    for name in ("cross", "late_interaction"):
        (tmp_path / f"{name}.yaml").write_text(f"model: {{scoring: {name}}}\n")
    paths = tuple(str(tmp_path / f"{name}.yaml") for name in models.split())
    with pytest.raises(InputError, match=message):
        measure_latency(
            LatencyBenchmark(paths, str(tmp_path / f"{cross}.yaml") if cross else ""), shown.append, shown.append
        )
    assert not shown
