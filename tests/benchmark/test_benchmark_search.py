"""What tools/benchmark.py search is made of, at tiny sizes. No test depends on how long anything takes."""

import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import numpy as np
import pytest

from benchmark.search import batches, contest, drawn, limit, nearest
from benchmark.search.contest import Contestant, choose_peers, compare, path_of
from benchmark.search.measure import SearchBenchmark
from benchmark.search.peers import OURS, PEERS, Numpy, NumpySkylakeX
from benchmark.search.scoring import Shape
from benchmark.search.timing import best_and_median, milliseconds
from benchmark.search.worker import Worker, WorkerError
from inflate_shrink import cpu
from inflate_shrink.errors import InputError
from inflate_shrink.kernel import PRECISIONS, decode_rows

OWN_PEERS = """
import os
import signal

from benchmark.search.peers import Numpy

class Right(Numpy):
    name = "right"

class Wrong(Numpy):
    name = "wrong"
    def part(self, query, images):
        return 1.001 * super().part(query, images)

class Short(Numpy):
    name, chunked = "short", False
    def score(self, query, chunk):
        return super().score(query, chunk)[1:]

class Nan(Numpy):
    name = "nan"
    def part(self, query, images):
        return super().part(query, images) * float("nan")

class Broken(Numpy):
    name = "broken"
    def part(self, query, images):
        raise RuntimeError("no\\nway")

class Missing(Numpy):
    name, packages = "missing", ("no-such-distribution",)

class Illegal(Numpy):
    name = "illegal"
    def part(self, query, images):
        os.kill(os.getpid(), signal.SIGILL)

class OutOfMemory(Numpy):
    # ends while it is timed, not before
    name, calls = "out of memory", 0
    def score(self, query, chunk):
        self.calls += 1
        if self.calls > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().score(query, 20)
    chunked = False

class NoPrecision(Numpy):
    precision = "float8"
"""


@pytest.fixture
def own_peers(tmp_path, monkeypatch):
    """The module ``own_peers``, here and in the processes of workers."""
    (tmp_path / "own_peers.py").write_text(OWN_PEERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("own_peers", None)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_drawn_rows(precision, tmp_path, monkeypatch):
    monkeypatch.setattr(drawn, "_POOL_ROWS", 12)  # four items are drawn, the others repeat them
    rows, same = (drawn.draw_rows(10, 3, 10, precision, 1, file) for file in (None, tmp_path / "values"))
    assert isinstance(same.values, np.memmap) and (rows.values == same.values).all()
    assert len(rows) == 10 and rows.offsets.tolist() == list(range(0, 33, 3))
    vectors = decode_rows(rows.values, rows.scales, precision, 10)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 0.02
    assert len(np.unique(vectors.reshape(10, -1), axis=0)) == 4
    size = sum(array.nbytes for array in (rows.values, rows.scales, rows.offsets[1:]) if array is not None)
    assert drawn.stored_bytes(10, 3, 10, precision) == size
    first = drawn.first_items(rows, 2)
    assert len(first) == 2 and np.shares_memory(first.values, rows.values) and len(first.values) == 6


@pytest.mark.parametrize("free, expected", [(1000, 80), (100, 8), (1, 1), (10**9, 90)])
def test_items_that_fit(free, expected, monkeypatch):
    monkeypatch.setattr(drawn, "free_memory", lambda: free)
    assert drawn.items_that_fit(90, 10) == expected


def test_free_memory():
    assert 1 << 20 < drawn.free_memory() < 1 << 50


def test_timing():
    calls = []
    assert len(milliseconds(lambda: calls.append(1), 3)) == len(calls) == 3
    assert len(milliseconds(lambda: None, 3, seconds=0)) == 1
    assert best_and_median([3, 1, 2]) == {"ms": 1, "median_ms": 2, "calls": 3}


@pytest.mark.slow
def test_worker(own_peers):
    with Worker(path_of(Contestant), 3, {"target": "own_peers:Right", "threads": 1}) as worker:
        found = worker.call("prepare", images=5, fragments=2, dim=8, seed=0)
        assert found["status"] == "ready" and found["chunk"] == 5 and found["difference"] < 1e-6
        with pytest.raises(WorkerError, match="^AttributeError: .*nothing"):
            worker.call("nothing")
    script = '[ "$OMP_NUM_THREADS$RAYON_NUM_THREADS$EXTRA" = 33x ] && exit 7'
    with Worker("subprocess:Popen", 3, {"args": script, "shell": True}, {"EXTRA": "x"}) as worker:
        assert worker.call("wait") == 7
    with (
        Worker("argparse:ArgumentParser", 1, {}) as worker,
        pytest.raises(WorkerError, match="^the process that measures it ended with exit code 4"),
    ):
        worker.call("exit", status=4)
    with pytest.raises(WorkerError, match="^TypeError: "):
        Worker(path_of(Contestant), 1, {"wrong": 1})


@pytest.mark.slow
@pytest.mark.parametrize("peer", [*OURS, *PEERS], ids=lambda peer: f"{peer.name}-{peer.precision}")
def test_peers_are_right(peer):
    if contest._describe(peer)["status"] != "installed":
        pytest.skip(f"{peer.packages} not installed")
    with Worker(path_of(Contestant), 1, {"target": path_of(peer), "threads": 1}, peer.environment) as worker:
        found = worker.call("prepare", images=40, fragments=24, dim=128, seed=0)
        assert found["status"] == "ready", found
        assert worker.call("time", calls=2, seconds=9)


@pytest.mark.parametrize(
    "name, status, reason",
    [
        ("Right", "ready", None),
        ("Wrong", "wrong", "by 0.001 of"),
        ("Short", "wrong", "no scores"),
        ("Nan", "wrong", "no scores"),
    ],
)
def test_wrong_peers_are_found_out(own_peers, name, status, reason):
    contestant = Contestant(f"own_peers:{name}", 1)
    found = contestant.prepare(images=30, fragments=3, dim=8, seed=0)
    assert found["status"] == status and (reason is None or reason in found["reason"])
    assert (contestant.call is None) == (status == "wrong")


@pytest.mark.parametrize("lacking", [set(), {"avx512dq", "avx512f"}])
def test_a_peer_that_the_processor_cannot_run(monkeypatch, lacking):
    monkeypatch.setattr(
        cpu,
        "Path",
        lambda path: SimpleNamespace(read_text=lambda **_: f"flags\t: fpu avx2 {' '.join(cpu.AVX512 - lacking)}\n"),
    )
    described = [contest._describe(peer) for peer in (Numpy, NumpySkylakeX)]
    assert [one["status"] for one in described] == ["installed", "not for this processor" if lacking else "installed"]
    assert described[1].get("reason") == ("it lacks avx512dq, avx512f" if lacking else None)


@pytest.mark.slow
def test_contest(own_peers):
    peers = [f"own_peers:{name}" for name in ("Right", "Wrong", "Broken", "Missing", "Illegal", "OutOfMemory")]
    (found,) = contest.measure_contests(peers, [8], 20, 1, 0, fragments=2, rounds=2, seconds=0.01)
    assert {one["name"]: one["status"] for one in found["contestants"]} == {
        "this package": "measured", "right": "measured", "wrong": "wrong", "broken": "failed", "missing": "not installed",
        "illegal": "failed", "out of memory": "failed",
    }  # fmt: skip
    ours, right, *others = found["contestants"]
    assert right["ratio"] == found["ratio"] == right["ms"] / ours["ms"] and found["fastest"] == "right"
    assert not any("ms" in one or "ratio" in one for one in others) and "ratio" not in ours
    assert others[1]["reason"] == "RuntimeError: no way" and others[2]["reason"] == "pip install no-such-distribution"
    assert "signal 4, SIGILL: an instruction that this processor does not have" in others[3]["reason"]
    assert "signal 9, SIGKILL: memory was short" in others[4]["reason"]
    assert (found["precision"], found["dim"], found["images"], found["images_wanted"]) == ("float32", 8, 20, 20)


@pytest.mark.parametrize(
    "precision, dim, ratio, met",
    [
        ("float32", 768, 2.0, True),
        ("float32", 768, 1.9, False),
        ("float32", 128, 3.0, True),
        ("bfloat16", 256, 2.9, False),
        ("int8", 768, 1.6, True),
        ("int8", 128, 1.5, False),
    ],
)
def test_ratios_of_known_times(precision, dim, ratio, met):
    measured = [
        {"name": name, "status": "measured", "ms": ms}
        for name, ms in (("ours", 10.0), ("slow", 50.0), ("fast", 10 * ratio))
    ]
    found = compare([*measured, {"name": "wrong", "status": "wrong"}], precision, dim)
    assert [one.get("ratio") for one in found["contestants"]] == [None, 5.0, ratio, None]
    assert (found["fastest"], found["ratio"], found["met"]) == ("fast", ratio, met)


@pytest.mark.parametrize("ours, rival", [("measured", "wrong"), ("failed", "measured")])
def test_no_ratio_without_both(ours, rival):
    found = compare(
        [{"name": "ours", "status": ours, "ms": 1}, {"name": "rival", "status": rival, "ms": 1}], "int8", 128
    )
    assert (found["fastest"], found["ratio"], found["met"]) == (None, None, None)


def test_chosen_peers(own_peers):
    assert sorted(choose_peers([])) == sorted(path_of(peer) for peer in PEERS)
    assert choose_peers(["numpy", "own_peers:Right"]) == [path_of(Numpy), "own_peers:Right"]
    assert len(choose_peers(["torch"])) == 2  # fp32 and bf16
    for name in ("nothing", "own_peers:None", "own_peers:NoPrecision", "no.such:Peer", ":", "os:getcwd"):
        with pytest.raises(InputError, match="MODULE:CLASS"):
            choose_peers([name])


def test_limit(monkeypatch):
    monkeypatch.setattr(limit.kernel, "arithmetic_limit", lambda *arguments: 1e9)
    monkeypatch.setattr(limit.kernel, "paths", lambda: ("", "portable", "numpy"))  # the best, and those without a limit
    monkeypatch.setattr(limit, "milliseconds", lambda call, repeats: call() is None or [4.0, 2.0])
    found = limit.measure_limit(40, 1, 0, dims=(8, 16), fragments=4, rounds=2)
    assert [(one["dim"], one["precision"], one["path"], one["images"]) for one in found] == [
        (dim, precision, path, images)
        for dim in (8, 16)
        for precision in PRECISIONS
        for path, images in (("", 40), ("portable", 2), ("numpy", 2))
    ]
    best, *others = found[:3]
    speed = 2 * 40 * 4 * 4 * 8 / 2e-3
    assert (best["ms"], best["operations_per_second"], best["limit"]) == (2, speed, 1e9)
    assert best["share"] == speed / 1e9 and (best["target"], best["met"]) == (0.85, False)
    assert all(other[key] is None for other in others for key in ("limit", "share", "target", "met"))


def test_batches(monkeypatch):
    monkeypatch.setattr(batches.kernel, "arithmetic_limit", lambda *arguments: 1e9)
    monkeypatch.setattr(batches.kernel, "paths", lambda: ("avx2",))
    monkeypatch.setattr(batches, "milliseconds", lambda call, repeats: [len(call()), 2.0 * len(call())])
    found = batches.measure_batches(6, 1, 0, shapes=(Shape("F", 1, 8), Shape("I", 96, 8)), rounds=2)
    sizes = [(one["model"], one["images"], one["queries"]) for one in found]
    assert sizes == [(model, images, size) for model, images in (("F", 192), ("I", 2)) for size in (1, 8, 64)]
    assert all(one["per_second"] == 1000 for one in found)  # a millisecond each
    assert [found[0]["limit"], found[-1]["limit"]] == [1e9 / (2 * 192 * 8), 1e9 / (2 * 2 * 96 * 96 * 8)]


@pytest.mark.parametrize("ms, met", [(98.3, True), (98.5, False)])
def test_paper_bound(ms, met):
    found = limit.paper_bound(
        [
            {"precision": "float32", "dim": 768, "images": 100_000},
            {"precision": "int8", "dim": 128, "images": 100_000, "ms": 1},
            {"precision": "int8", "dim": 768, "images": 100_000, "ms": ms},
            {"precision": "int8", "dim": 768, "images": 5000},
        ]
    )
    assert found == {"ms": ms, "paper_ms": 82, "target_ms": pytest.approx(98.4), "met": met}
    assert (
        limit.paper_bound([{"precision": "int8", "dim": 768, "images": 99_999, "ms": ms}])
        is limit.paper_bound([])
        is None
    )


def test_nearest():
    found = nearest.Nearest(300, 16, 1, 0)
    for method in nearest.METHODS[:3]:
        found.build(method)
        assert found.time(method) > 0
    assert found.recall("scan float32") == 1 and 0.5 < found.recall("scan int8") <= 1
    found.search["scan float32"] = lambda query: np.arange(-10, 0)
    assert found.recall("scan float32") == 0


def test_nearest_without_faiss(monkeypatch):
    def version(name):
        raise PackageNotFoundError

    monkeypatch.setattr(nearest, "version", version)
    (found,) = nearest.measure_nearest([200], 1, 0, dim=8, rounds=1)
    assert found["faiss"] is None and found["items"] == 200
    statuses = {one["name"]: one["status"] for one in found["methods"]}
    assert statuses == {name: "measured" if name.startswith("scan") else "not installed" for name in nearest.METHODS}


@pytest.mark.slow
def test_nearest_with_faiss(monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(nearest, "HNSW_ITEMS", 200)
    found = nearest.measure_nearest([200, 400], 1, 0, dim=8, rounds=1)
    assert [[one["name"] for one in entry["methods"] if one["status"] != "measured"] for entry in found] == [
        [],
        ["faiss HNSW"],
    ]
    assert found[0]["methods"][3]["recall"] == 1  # Flat is exact


@pytest.mark.parametrize(
    "amount, message",
    [
        (dict(images=0), "--images must be 1 or more, found 0"),
        (dict(peer_images=0), "--peer-images must be 1"),
        (dict(dims=(768, 4)), "--dims must be 8 or more, found 4"),
        (dict(dims=(20,)), "--dims must be multiples of 8, .*found 20"),
        (dict(vectors=(39,)), "--vectors must be 40"),
        (dict(threads=-1), "--threads must be 0"),
        (dict(rounds=0), "--rounds must be 1"),
        (dict(seed=-1), "--seed must be 0"),
    ],
)
def test_amounts_out_of_range(amount, message):
    with pytest.raises(InputError, match=message):
        SearchBenchmark(**amount)
