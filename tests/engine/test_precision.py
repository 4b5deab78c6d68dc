"""Mixed precision is left off where it does nothing."""

import paddle
import pytest

from inflate_shrink.config import AmpConfig
from inflate_shrink.engine.precision import Precision
from inflate_shrink.engine.steps import train
from inflate_shrink.scoring import Fragments

pytestmark = pytest.mark.skipif(paddle.device.get_device() != "cpu", reason="about machines without a GPU")


@pytest.mark.parametrize("level", ["O1", "O2"])
def test_cpu_stays_in_float32(level):
    precision = Precision(AmpConfig(level=level))
    layer = paddle.nn.Linear(2, 2)
    optimizer = paddle.optimizer.SGD(parameters=layer.parameters())
    assert precision.decorate(layer, optimizer) == (layer, optimizer)
    assert layer.weight.dtype == paddle.float32
    with precision.autocast():
        assert layer(paddle.ones([1, 2])).dtype == paddle.float32
    fragments = Fragments(paddle.ones([1, 1, 2]))
    assert precision.cast(fragments) is fragments
    assert float(precision.scaler.scale(paddle.ones([]))) == 1
    assert level in precision.notice and "float32" in precision.notice


def test_no_notice_where_nothing_was_asked_for():
    assert Precision(AmpConfig()).notice == ""


def test_a_run_says_so_once(tiny_config, tmp_path, capsys):
    train(tiny_config("amp.level=O1", "optim.epochs=1", f"run.dir={tmp_path / 'run'}"))
    assert capsys.readouterr().out.count("needs a GPU: training in float32") == 1
    assert (tmp_path / "run" / "train.log").read_text().count("training in float32") == 1
