"""The lines of docs/own_data.md that export a backbone of Paddle's own, at the size of a ResNet-18 and without a download."""

import re
from pathlib import Path

import numpy as np
import paddle

from inflate_shrink.extract.networks import Network

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own_data.md"


def test_backbone_of_the_guide(tmp_path, monkeypatch):
    code = re.search(r"```python\n(import paddle\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    without_onnx = re.search(r"`(paddle\.jit\.save\(.*?\))`", PAGE.read_text(encoding="utf-8"))[1]
    if paddle.__version__.startswith("2."):  # as the page says
        code = re.sub(r"^paddle\.onnx\.export.*$", without_onnx, code, flags=re.MULTILINE)
    assert "pretrained=True" in code
    monkeypatch.chdir(tmp_path)
    exec(code.replace("pretrained=True", "pretrained=False").replace("models.resnet50", "models.resnet18"))
    (file,) = [path for path in tmp_path.iterdir() if path.suffix in (".onnx", ".pdmodel")]
    network = Network(file)
    for height, width in ((64, 96), (96, 32)):
        assert network(np.zeros((1, 3, height, width), np.float32))[0].shape == (1, 512, height // 32, width // 32)
