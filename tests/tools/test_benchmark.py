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
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, "h", "w"][:2] + [f"{name}h", f"{name}w"]) for name in ("image", "map")]
    model = helper.make_model(helper.make_graph([node], "mean", sides[:1], sides[1:]), opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(tmp_path / "mean.onnx"))
    return tmp_path / "mean.onnx"


def test_data(run_tool, tmp_path, monkeypatch, photos, backbone):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    amount = ("--clustered", 1, "--steps", 1, "--sizes", 3, 4, "--seconds", 0.01, "--seed", 3)
    code, stdout, stderr = run_tool("benchmark", "data", *amount, "--images", photos, "--backbone", backbone, "--json", tmp_path / "data.json")
    assert code == 0, stderr
    result = json.loads((tmp_path / "data.json").read_text())
    assert list(result) == ["environment", "seed", "clustering", "loader", "memory", "extraction"]
    assert result["environment"]["processor"] in stdout and result["seed"] == 3
    for section in ("clustering: 1 drawn", "loader: batches of 128", "memory: peak", "extraction: "):
        assert f"\n{section}" in stdout
    assert (result["clustering"]["regions"], result["clustering"]["clusters"], result["clustering"]["dimension"]) == (100, 32, 2048)
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


def test_missing_command(run_tool):
    code, _, stderr = run_tool("benchmark")
    assert code == 2 and "COMMAND" in stderr
