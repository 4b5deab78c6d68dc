"""The files of a checkpoint: tensors keep their values, types and names, and what is damaged is named."""

import numpy as np
import paddle
import pytest

from inflate_shrink.engine import checkpoint_files
from inflate_shrink.engine.checkpoint_files import read_training
from inflate_shrink.errors import InputError
from inflate_shrink.weight_files.safetensors_file import write_safetensors


def test_training_state(tmp_path):
    """Tensors keep their type, and their own names where Paddle needs them."""
    layer = paddle.nn.Linear(2, 3)
    copy = paddle.ones([2, 3])
    copy.name = "linear_0.w_0_fp32_master_0"
    half = paddle.to_tensor([1.0, -2.5]).astype("bfloat16")
    half.name = "moment"
    scaler = {"scale": np.array([1024.0], "float32"), "incr_count": 3, "use": True, "ratio": 2.0, "none": None}
    state = {"optimizer": {"moment": half, "beta": 0.5, "master_weights": {layer.weight.name: copy}}, "scaler": scaler}
    checkpoint_files.write_training(tmp_path, state)
    found = read_training(tmp_path)
    assert found["scaler"].pop("scale").tolist() == [1024] and found["scaler"] == {
        key: scaler[key] for key in scaler if key != "scale"
    }
    optimizer = found["optimizer"]
    assert optimizer["beta"] == 0.5 and optimizer["master_weights"][layer.weight.name].name == copy.name
    assert (optimizer["moment"].name, optimizer["moment"].dtype) == ("moment", paddle.bfloat16)
    assert optimizer["moment"].astype("float32").tolist() == [1.0, -2.5]


def test_weights_of_bfloat16(tmp_path):
    checkpoint_files.write_weights(tmp_path, {"a": paddle.to_tensor([1.0, -2.5]).astype("bfloat16")})
    assert checkpoint_files.read_weights(tmp_path)["a"].tolist() == [1.0, -2.5]


@pytest.mark.parametrize("values", ["[", "[1]", '{"a": 1, "a/b": 2}', '{"scaler": 1, "scaler/a": 2}'])
def test_training_state_that_is_none(tmp_path, values):
    write_safetensors(tmp_path / "train.safetensors", {}, {"values": values, "names": "{}"})
    with pytest.raises(InputError, match="train.safetensors: damaged"):
        read_training(tmp_path)
