"""O1 and O2 in float16 and bfloat16, emulated on the CPU: dtypes that operations meet, gradients, files, the scaler."""

import numpy as np
import paddle
import pytest
from half_on_cpu import MixedTypes, emulate_gpu
from rank_work import gradients
from run_weights import assert_equal, weights

from inflate_shrink.config import AmpConfig
from inflate_shrink.data.tokenized import open_training_data
from inflate_shrink.engine import objectives, trainer
from inflate_shrink.engine.batch_scores import batch_scores
from inflate_shrink.engine.checkpoint import new_model, open_checkpoint
from inflate_shrink.engine.checkpoint_files import read_weights
from inflate_shrink.engine.precision import Precision
from inflate_shrink.engine.ranks import ALONE
from inflate_shrink.engine.steps import train
from inflate_shrink.errors import InputError
from inflate_shrink.scoring import normalize

MODELS = {
    "B": ["model.fragments=8"],
    "I": ["model.codes=3", "model.fragments=all", "model.score_padding=masked", "optim.chunk=4"],
    "hardest": ["model.fragments=1", "loss.ranking=hardest"],
    "scan": ["model.scoring=scan_i2t", "model.fragments=all"],
    "sparta": ["model.scoring=visual_sparta", "model.fragments=all"],
    "attention": ["model.fragments=1", "model.vector=attention"],
    "generalised": ["model.fragments=1", "model.vector=generalised"],
    "weighted": ["model.codes=2", "model.text_weights=length", "model.score_padding=masked", "optim.chunk=8"],
    "C": ["model.scoring=cross", "model.fragments=all"],
}


@pytest.fixture
def gpu(monkeypatch):
    """A CPU that runs mixed precision as a GPU does; a function of its compute capability."""
    return lambda *capability: emulate_gpu(monkeypatch, capability)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("level", ["O1", "O2"])
@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_near_those_of_float32(gpu, tiny_config, name, level, dtype):
    """Rounding chooses other fragments where two are nearly as good, which moves gradients more than the loss."""
    config = tiny_config(*MODELS[name], "model.dropout=0", "model.layers=2", "loss.margin=1.5")
    expected = gradients(config, ALONE)
    config.amp = AmpConfig(level, dtype)
    gpu(8, 0)
    found = gradients(config, ALONE)
    rounding = 3e-3 if dtype == "float16" else 1e-2
    assert found["loss"] == pytest.approx(float(expected["loss"]), rel=rounding) and found["loss"].dtype == np.float32
    assert found.keys() == expected.keys() and all(value.dtype == np.float32 for value in found.values())
    ours, theirs = (
        np.concatenate([each[key].ravel() for key in expected if key != "loss"]) for each in (found, expected)
    )
    assert 1e-6 < np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 0.2


def test_weights_in_half_precision_need_autocast(gpu, tiny_config):
    """What the emulation is for: it finds what a GPU would refuse."""
    config = tiny_config("amp.level=O2")
    data = open_training_data(config.data, 8)
    gpu(7, 0)
    precision, model = Precision(config.amp), new_model(config, data.tokenizer.vocab_size, data.region_dim)
    regions, counts = map(paddle.to_tensor, data.store.read_regions(np.arange(2)))
    half = precision.network(model)
    assert {str(p.dtype) for p in model.parameters()} == {"paddle.float32"}
    assert half.transformer.layers[0].query.weight.dtype == paddle.float16
    assert half.transformer.layers[0].output_norm.weight.dtype == paddle.float32
    with precision.autocast():
        assert half.encode_image(regions, counts).vectors.dtype == paddle.float32
    with pytest.raises(MixedTypes, match="matmul"):
        half.encode_image(regions, counts)
    model.encode_image(regions, counts)  # as validation does


def test_a_fragment_of_large_numbers_has_length_one_in_half_precision(gpu):
    gpu(7, 0)
    with Precision(AmpConfig("O2")).autocast():
        found = normalize(paddle.full([1, 768], 20.0).astype("float16"))  # the sum of squares is above 65504
    np.testing.assert_allclose(found.numpy(), 768**-0.5, rtol=1e-3)


def test_o2_trains_validates_saves_float32_and_goes_on(gpu, tiny_config, tmp_path, monkeypatch):
    gpu(7, 0)
    overrides = "amp.level=O2", "run.save_steps=8", "model.codes=2", "optim.epochs=1"
    whole, run = tmp_path / "whole", tmp_path / "run"
    train(tiny_config(*overrides, f"run.dir={whole}"))
    state, log = open_checkpoint(whole / "last").state, (whole / "train.log").read_text()
    assert state["finished"] and 1 <= state["skipped"] < 15  # the scale begins at 65,536
    assert f"{state['skipped']} updates skipped (float16 overflow)" in log
    assert {value.dtype for value in read_weights(whole / "last").values()} == {np.dtype("float32")}

    class Stopped(Exception):
        pass

    def stopping(*arguments):
        if arguments[6] == 11:
            raise Stopped
        return update(*arguments)

    update = trainer.make_update
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(trainer, "make_update", stopping)
        train(tiny_config(*overrides, f"run.dir={run}"))
    train(tiny_config(*overrides, f"run.dir={run}"), resume=True)
    assert open_checkpoint(run / "last").state == state
    assert_equal(weights(run / "last"), weights(whole / "last"))


def test_a_loss_scale_that_collapses_ends_the_run(gpu, tiny_config, tmp_path, monkeypatch):
    gpu(7, 0)
    monkeypatch.setattr(objectives, "batch_scores", lambda *arguments: batch_scores(*arguments) * 1e30)
    with pytest.raises(
        InputError, match="gradients are not finite, down to a loss scale of 1, at update 17: lower"
    ) as end:
        train(tiny_config("amp.level=O1", "loss.ranking=sum", "run.save_steps=10", f"run.dir={tmp_path / 'run'}"))
    assert "is step-000015; it is of these captions of split 'train', counted from 0: " in str(end.value)
