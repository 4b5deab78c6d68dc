"""tools/export.py as a user calls it."""

import re

import paddle
import pytest

from inflate_shrink.search.encoder.encoders import ImageEncoder, QueryEncoder


@pytest.mark.slow
@pytest.mark.parametrize("side, kind", [("text", QueryEncoder), ("image", ImageEncoder)])
def test_export(run_tool, trained, tmp_path, side, kind):
    onnx = [] if paddle.__version__.startswith("2.") else ["--onnx"]
    code, stdout, stderr = run_tool(
        "export", "--checkpoint", trained(), "--out", tmp_path / "encoder", "--side", side, *onnx
    )
    assert (code, stderr) == (0, "")
    encoder = kind(tmp_path / "encoder", backend="onnx" if onnx else "paddle")
    graphs = r"model\.json and model\.onnx" if onnx else r"model\.(json|pdmodel)"
    line = rf"{tmp_path}/encoder: {side} encoder, 16 dimensions, weights {encoder.fingerprint}; {graphs} within \de[+-]\d\d of the model\n"
    assert re.fullmatch(line, stdout)


def test_nothing_to_export(run_tool, tmp_path):
    code, stdout, stderr = run_tool("export", "--checkpoint", tmp_path / "none", "--out", tmp_path / "encoder")
    assert (code, stdout) == (2, "") and "none: no such checkpoint directory" in stderr and stderr.count("\n") == 1
