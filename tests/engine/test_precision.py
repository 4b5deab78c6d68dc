"""Mixed precision is left off where it does nothing, and refused where it cannot be."""

import paddle
import pytest
from half_on_cpu import emulate_gpu

from inflate_shrink.config import AmpConfig
from inflate_shrink.engine.precision import Precision
from inflate_shrink.engine.steps import train
from inflate_shrink.errors import InputError
from inflate_shrink.scoring import Fragments


@pytest.fixture(autouse=True)
def cpu(monkeypatch):
    """Also on a machine with a GPU, these tests are about one without."""
    monkeypatch.setattr(paddle.device, "get_device", lambda: "cpu")


def test_cpu_stays_in_float32():
    precision = Precision(AmpConfig(level="O1"))
    layer = paddle.nn.Linear(2, 2)
    assert precision.network(layer) is layer and layer.weight.dtype == paddle.float32
    with precision.autocast():
        assert layer(paddle.ones([1, 2])).dtype == paddle.float32
    fragments = Fragments(paddle.ones([1, 1, 2]))
    assert precision.cast(fragments) is fragments
    assert float(precision.scaler.scale(paddle.ones([]))) == precision.loss_scale == 1
    assert "O1" in precision.notice and "float32" in precision.notice


def test_o2_needs_a_gpu(tiny_config, tmp_path):
    config = tiny_config("amp.level=O2", f"run.dir={tmp_path / 'run'}")
    with pytest.raises(InputError, match="^amp O2 float16 needs a GPU, and Paddle finds none: choose amp.level O0"):
        train(config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "dtype, capability, message",
    [
        ("bfloat16", (7, 0), "8.0, an emulated GPU has 7.0: choose amp.level O0 or amp.dtype float16"),
        ("float16", (6, 1), "7.0, an emulated GPU has 6.1: choose amp.level O0$"),
    ],
)
@pytest.mark.parametrize("level", ["O1", "O2"])
def test_a_gpu_without_the_dtype_is_refused(monkeypatch, level, dtype, capability, message):
    """There Paddle warns and turns autocast off, but has no kernels for the products of cosines."""
    emulate_gpu(monkeypatch, capability)
    with pytest.raises(InputError, match=f"^amp {level} {dtype} needs a GPU of compute capability {message}"):
        Precision(AmpConfig(level, dtype))


def test_no_notice_where_nothing_was_asked_for():
    assert Precision(AmpConfig()).notice == ""


def test_a_run_says_so_once(tiny_config, tmp_path, capsys):
    train(tiny_config("amp.level=O1", "optim.epochs=1", f"run.dir={tmp_path / 'run'}"))
    assert capsys.readouterr().out.count("needs a GPU: training in float32") == 1
    assert (tmp_path / "run" / "train.log").read_text().count("training in float32") == 1
