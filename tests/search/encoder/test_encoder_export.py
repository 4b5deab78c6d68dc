"""What is not exported, and that a failed export leaves nothing."""

import numpy as np
import paddle
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.search.encoder import export
from inflate_shrink.search.encoder.export import export_encoder
from inflate_shrink.search.encoder.files import read_meta

PADDLE_3 = not paddle.__version__.startswith("2.")


@pytest.mark.parametrize(
    "scoring, message",
    [
        ("visual_sparta", "its model.scoring is visual_sparta, which is not exported: tools/index.py"),
        ("cross", "its model.scoring is cross, which is not exported: tools/rerank.py"),
    ],
)
def test_models_with_other_ways(untrained, tmp_path, scoring, message):
    with pytest.raises(InputError, match=message):
        export_encoder(untrained(scoring=scoring), tmp_path / "encoder")


def test_directory_that_exists(untrained, tmp_path):
    with pytest.raises(InputError, match="already exists and is not replaced"):
        export_encoder(untrained(), tmp_path)


def test_without_vocabulary(untrained, tmp_path):
    checkpoint = untrained()
    checkpoint.vocab_file.write_bytes(checkpoint.vocab_file.read_bytes() + b"owl\n")
    with pytest.raises(InputError, match="vocab.txt: 13 pieces, the model has 12"):
        export_encoder(checkpoint, tmp_path / "encoder")
    checkpoint.vocab_file.unlink()
    with pytest.raises(InputError, match="holds no vocab.txt"):
        export_encoder(checkpoint, tmp_path / "encoder")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("side, vector", [("text", "generalised"), ("image", "attention")])
def test_a_pooled_vector_is_exported(exported, side, vector):
    """Export compares each graph with the model, on inputs of several lengths."""
    meta = read_meta(exported(side, PADDLE_3, fragments=1, vector=vector)[1])
    assert len(meta["difference"]) == 1 + PADDLE_3 and max(meta["difference"].values()) < 1e-5


@pytest.mark.slow
def test_diverged_model_leaves_nothing(untrained, tmp_path):
    with pytest.raises(InputError, match="differs from the model by nan"):
        export_encoder(untrained(fill=float("nan")), tmp_path / "encoder")
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_graph_that_differs_leaves_nothing(untrained, tmp_path, monkeypatch):
    opened = export.open_graph
    monkeypatch.setattr(
        export,
        "open_graph",
        lambda *arguments: lambda *arrays: [np.negative(array) for array in opened(*arguments)(*arrays)],
    )
    with pytest.raises(
        InputError, match="encoder: model.* differs from the model by .*, more than 0.0001; nothing was written"
    ):
        export_encoder(untrained(), tmp_path / "encoder")
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(PADDLE_3, reason="of Paddle 2")
def test_no_onnx_file_with_paddle_2(untrained, tmp_path):
    with pytest.raises(InputError, match="needs Paddle 3; this is Paddle 2"):
        export_encoder(untrained(), tmp_path / "encoder", onnx=True)


@pytest.mark.skipif(not PADDLE_3, reason="paddle2onnx needs Paddle 3")
def test_failure_of_paddle2onnx(untrained, tmp_path, monkeypatch, capfd):
    import paddle2onnx

    def fail(*arguments, **keys):
        print("Failed to convert PaddlePaddle model: no such operator: where.")
        raise UnboundLocalError("onnx_model_str")

    monkeypatch.setattr(paddle2onnx, "export", fail)
    message = "model.onnx: paddle2onnx cannot make it with Paddle 3.*: PaddlePaddle model: no such operator: where.; export without --onnx"
    with pytest.raises(InputError, match=message):
        export_encoder(untrained(), tmp_path / "encoder", onnx=True)
    assert not [*tmp_path.iterdir()] and capfd.readouterr() == ("", "")
