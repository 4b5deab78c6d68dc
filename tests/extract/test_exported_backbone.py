"""The lines of docs/own_data.md that make a backbone: of Paddle's own, at the size of a ResNet-18 and without a download, and
of two networks.
"""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import paddle
import pytest

from inflate_shrink.extract.networks import Network

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own_data.md"


@pytest.mark.slow
def test_backbone_of_the_guide(tmp_path, monkeypatch):
    code = re.search(r"```python\n(import paddle\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    if paddle.__version__.startswith("2."):  # as the page says
        code = re.sub(r"^.*paddle2onnx.*$", "", code, flags=re.MULTILINE)
    for written, tested in (("pretrained=True", "pretrained=False"), ("models.resnet50", "models.resnet18")):
        assert written in code
        code = code.replace(written, tested)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", None)  # nothing may call pip
    exec(code)
    found = [path for path in tmp_path.iterdir() if path.suffix in (".onnx", ".json", ".pdmodel")]
    assert {path.suffix for path in found} == (
        {".pdmodel"} if paddle.__version__.startswith("2.") else {".onnx", ".json"}
    )
    for network in map(Network, found):
        for height, width in ((64, 96), (96, 32)):
            assert network(np.zeros((1, 3, height, width), np.float32))[0].shape == (1, 512, height // 32, width // 32)


def test_two_backbones_of_the_guide(backbone, tmp_path, monkeypatch):
    code = re.search(r"```python\n(import onnx\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    for name in ("one.onnx", "two.onnx"):  # of the same names inside
        shutil.copy(backbone, name)
    exec(code, {})
    photo = np.random.default_rng(0).normal(size=(1, 3, 64, 96)).astype(np.float32)
    alone, (both,) = Network(backbone)(photo)[0], Network("both.onnx")(photo)
    np.testing.assert_array_equal(both, np.concatenate([alone, alone], 1))
