"""tools/benchmark.py as a user calls it, at its smallest."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)).save(folder / "a.png")
    return folder


@pytest.fixture
def backbone(tmp_path):
    """The mean of each 32 x 32 cell."""
    node = helper.make_node("AveragePool", ["image"], ["map"], kernel_shape=[32, 32], strides=[32, 32])
    sides = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, "h", "w"][:2] + [f"{name}h", f"{name}w"])
        for name in ("image", "map")
    ]
    model = helper.make_model(
        helper.make_graph([node], "mean", sides[:1], sides[1:]), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    onnx.save(model, str(tmp_path / "mean.onnx"))
    return tmp_path / "mean.onnx"


@pytest.mark.slow
def test_data(run_tool, tmp_path, monkeypatch, photos, backbone):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    amount = ("--clustered", 1, "--steps", 1, "--sizes", 3, 4, "--seconds", 0.01, "--seed", 3)
    code, stdout, stderr = run_tool(
        "benchmark", "data", *amount, "--images", photos, "--backbone", backbone, "--json", tmp_path / "data.json"
    )
    assert code == 0, stderr
    result = json.loads((tmp_path / "data.json").read_text())
    assert list(result) == ["environment", "seed", "clustering", "loader", "memory", "extraction"]
    assert result["environment"]["processor"] in stdout and result["seed"] == 3
    for section in ("clustering: 1 drawn", "loader: batches of 128", "memory: peak", "extraction: "):
        assert f"\n{section}" in stdout
    assert (result["clustering"]["regions"], result["clustering"]["clusters"], result["clustering"]["dimension"]) == (
        100,
        32,
        2048,
    )
    assert result["loader"]["models"]["demo"]["loader_ratio"] > 0
    assert [one["images"] for one in result["memory"]["sizes"]] == [3, 4]
    assert result["extraction"]["photos"] >= 1 and result["extraction"]["photos_per_second"] > 0
    assert not list(temporary.glob("inflate_shrink-*"))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--images", "{photos}"], "give both"),
        (["--backbone", "{none}"], "give both"),
        (["--detector", "{none}"], "give both"),
        (["--images", "{none}", "--backbone", "{none}"], "no such directory or .zip archive of photos"),
        (["--images", "{photos}", "--backbone", "{none}"], "none: no such file"),
        (["--sizes", "10", "2"], "--sizes must be 3 or more, found 2"),
    ],
)
def test_bad_input(run_tool, tmp_path, photos, arguments, message):
    arguments = [argument.format(photos=photos, none=tmp_path / "none") for argument in arguments]
    code, stdout, stderr = run_tool("benchmark", "data", *arguments)
    assert code == 2 and not stdout
    assert stderr.startswith("error: ") and stderr.count("\n") == 1 and message in stderr


OWN_PEERS = """
from benchmark.search.peers import Numpy

class Wrong(Numpy):
    name = "wrong"
    def part(self, query, images):
        return -super().part(query, images)

class Missing(Numpy):
    name, packages = "missing", ("no-such-distribution",)
"""


@pytest.mark.slow
def test_search(run_tool, tmp_path, monkeypatch):
    (tmp_path / "own_peers.py").write_text(OWN_PEERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    files = {name: tmp_path / f"search.{name}" for name in ("json", "markdown")}
    amount = ("--images", 30, "--peer-images", 20, "--dims", 16, "--vectors", 60, "--rounds", 1, "--threads", 1)
    peers = ("--peers", "numpy", "own_peers:Wrong", "own_peers:Missing")
    code, stdout, stderr = run_tool(
        "benchmark", "search", *amount, *peers, "--json", files["json"], "--markdown", files["markdown"]
    )
    assert code == 0, stderr
    result, page = json.loads(files["json"].read_text()), files["markdown"].read_text()
    assert list(result) == ["environment", "seed", "threads", "paths", "limit", "paper", "peers", "nearest", "batches"]
    assert {(one["precision"], one["path"]) for one in result["limit"]} == {
        (p, path) for p in ("float32", "bfloat16", "int8") for path in result["paths"]
    }
    assert result["threads"] == 1 and result["paper"] is None
    (contest,) = result["peers"]
    assert {one["name"]: one["status"] for one in contest["contestants"]} == {
        "this package": "measured",
        "numpy": "measured",
        "wrong": "wrong",
        "missing": "not installed",
    }
    ours, numpy = contest["contestants"][:2]
    assert contest["fastest"] == "numpy" and contest["ratio"] == numpy["ratio"] == numpy["ms"] / ours["ms"]
    assert [entry["items"] for entry in result["nearest"]] == [60]
    assert result["nearest"][0]["methods"][0]["recall"] == 1
    assert page.startswith("# Speed of search") and "python tools/benchmark.py search --images 30" in page
    for text in (stdout, page):
        assert (
            "not installed: pip install no-such-distribution" in text
            and "wrong: its scores differ" in text
            and result["environment"]["processor"] in text
        )


def test_search_in_part(run_tool, tmp_path):
    code, stdout, stderr = run_tool(
        "benchmark",
        "search",
        "--sections",
        "nearest",
        "--vectors",
        40,
        "--rounds",
        1,
        "--json",
        tmp_path / "search.json",
    )
    assert code == 0, stderr
    result = json.loads((tmp_path / "search.json").read_text())
    assert result["limit"] is result["peers"] is None and result["nearest"] and "limit: not measured" in stdout


@pytest.mark.slow
def test_latency(run_tool, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    models = {"F": "fragments: 1", "I": "codes: 2", "C": "scoring: cross"}
    for name, model in models.items():
        values = f"name: {name}\nmodel: {{hidden: 8, layers: 1, heads: 2, ffn: 8, {model}}}\ndata: {{text_length: 8}}\n"
        (tmp_path / f"{name}.yaml").write_text(values)
    files = {name: tmp_path / f"latency.{name}" for name in ("json", "markdown")}
    amount = (
        "--models",
        tmp_path / "F.yaml",
        tmp_path / "I.yaml",
        "--cross",
        tmp_path / "C.yaml",
        "--candidates",
        100000,
        20,
        "--pairs",
        3,
    )
    code, stdout, stderr = run_tool(
        "benchmark", "latency", *amount, "--json", files["json"], "--markdown", files["markdown"]
    )
    assert code == 0, stderr
    result, page = json.loads(files["json"].read_text()), files["markdown"].read_text()
    assert list(result) == [
        "environment",
        "seed",
        "threads",
        "candidates",
        "device",
        "encoding",
        "cross",
        "scoring",
        "on_device",
    ]
    assert [(one["model"], one["fragments"], one["dim"], one["paper"]) for one in result["encoding"]] == [
        ("F", 1, 8, 2),
        ("I", 10, 8, 3),
    ]
    assert all(one[way]["median_ms"] > 0 for one in result["encoding"] for way in ("eager", "exported"))
    assert [one["ms"] for one in result["cross"]["times"]] == [
        20 * result["cross"]["ms_per_pair"],
        100000 * result["cross"]["ms_per_pair"],
    ]
    assert [(one["model"], one["candidates"], one["paper"]) for one in result["scoring"] if one["precision"] == "int8"] == [
        ("F", 20, None), ("F", 100000, 0.4), ("I", 20, None), ("I", 100000, 325),
    ]  # fmt: skip
    assert (
        "extrapolated from 3 pairs" in stdout
        and "extrapolated from 3 pairs" in page
        and page.startswith("# Latency of a query")
    )
    assert not list(tmp_path.glob("inflate_shrink-*"))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["search", "--peers", "nothing"], "'nothing' is none of 'numpy'"),
        (["search", "--dims", "20"], "--dims must be multiples of 8"),
        (["latency", "--models", "{none}"], "no such config file"),
        (["latency", "--candidates", "0"], "--candidates must be 1 or more"),
    ],
)
def test_bad_input_of_search(run_tool, tmp_path, arguments, message):
    code, stdout, stderr = run_tool(
        "benchmark", *(argument.format(none=tmp_path / "none.yaml") for argument in arguments)
    )
    assert code == 2 and not stdout
    assert stderr.startswith("error: ") and stderr.count("\n") == 1 and message in stderr


def test_missing_command(run_tool):
    code, _, stderr = run_tool("benchmark")
    assert code == 2 and "COMMAND" in stderr
