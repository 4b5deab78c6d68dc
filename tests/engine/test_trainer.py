"""The training loop in this process: what an update is, what a run leaves behind."""

import json
import os

import numpy as np
import paddle
import pytest
from run_weights import assert_equal, weights

from inflate_shrink.config import AmpConfig
from inflate_shrink.data.batches import epoch_batches
from inflate_shrink.data.tokenized import open_training_data
from inflate_shrink.engine import checkpoint_files, objectives, steps, trainer
from inflate_shrink.engine.batch_scores import Execution
from inflate_shrink.engine.checkpoint import new_model, open_checkpoint
from inflate_shrink.engine.evaluate import as_json, evaluate
from inflate_shrink.engine.objectives import Loss, RankingObjective
from inflate_shrink.engine.precision import Precision
from inflate_shrink.engine.scalars import read_scalars
from inflate_shrink.engine.steps import train
from inflate_shrink.errors import InputError
from inflate_shrink.losses.ranking import landmarks


@pytest.mark.slow
def test_loss_falls_far_below_the_collapsed_value(tiny_config, tmp_path, capsys):
    config = tiny_config(
        "model.fragments=8",
        "model.dropout=0",
        "loss.ranking=sum",
        "optim.epochs=12",
        "run.eval_epochs=12",
        "run.log_steps=1",
        f"run.dir={tmp_path / 'run'}",
    )
    train(config)
    losses = [
        float(line.split("loss ")[1].split(",")[0])
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("epoch") and "loss" in line
    ]
    separated, collapsed = landmarks(config.loss, 8)
    assert (separated, collapsed) == pytest.approx((0, 67.2))
    assert len(losses) == 180
    assert np.mean(losses[-15:]) < collapsed / 4 < np.mean(losses[:3])


class RecordingOptimizer:
    """Keeps the gradients that an update would use, and changes nothing."""

    def __init__(self, parameters):
        self.parameters = list(parameters)

    def set_lr(self, lr):
        self.lr = lr

    def step(self):
        self.gradients = [p.grad.numpy().copy() for p in self.parameters]

    def clear_grad(self):
        for parameter in self.parameters:
            parameter.clear_grad()


def test_accumulated_update_is_the_mean_over_batches(tiny_config):
    config = tiny_config("optim.accumulate=2", "model.dropout=0", "optim.batch_size=10", "run.log_steps=1")
    data = open_training_data(config.data, 10)
    model = new_model(config, data.tokenizer.vocab_size, data.region_dim)
    objective, execution = RankingObjective(config.loss), Execution(Precision(AmpConfig()))
    batches = list(epoch_batches(data.store, data.train, 10, 0, 0))[:2]

    def update(config, batches):
        optimizer = RecordingOptimizer(model.parameters())
        done = trainer.make_update(model, optimizer, objective, execution, config, iter(batches), step=0, lr=0.5)
        squares = sum(float((gradient.astype("float64") ** 2).sum()) for gradient in optimizer.gradients)
        assert float(done.gradient_norm) == pytest.approx(squares**0.5, rel=1e-5) and squares > 1e-6
        assert optimizer.lr == 0.5 and all(p.grad is None or not p.grad.numpy().any() for p in optimizer.parameters)
        return float(done.loss), optimizer.gradients

    loss, gradients = update(config, batches)
    config.optim.accumulate = 1
    (first_loss, first), (second_loss, second) = (update(config, [batch]) for batch in batches)
    assert abs(first_loss - second_loss) > 1e-3
    assert loss == pytest.approx((first_loss + second_loss) / 2, rel=1e-5)
    for ours, one, other in zip(gradients, first, second):
        np.testing.assert_allclose(ours, (one + other) / 2, atol=1e-5)


def test_accumulation_makes_fewer_updates(tiny_config, tmp_path):
    train(tiny_config("optim.accumulate=4", f"run.dir={tmp_path / 'run'}"))  # 15 batches an epoch
    assert open_checkpoint(tmp_path / "run" / "last").state["step"] == 2 * 3


def test_more_accumulation_than_batches(tiny_config, tmp_path):
    with pytest.raises(InputError, match="optim.accumulate 16: an epoch has only 15 batches"):
        train(tiny_config("optim.accumulate=16", f"run.dir={tmp_path / 'run'}"))


def test_clip_of_the_config_is_applied(tiny_config, tmp_path):
    """Adam does not see the size of gradients, but with clipping to almost nothing its epsilon wins."""
    runs = {}
    for clip in ("0", "1e-9"):
        train(tiny_config("optim.epochs=1", "optim.weight_decay=0", f"optim.clip={clip}", f"run.dir={tmp_path / clip}"))
        runs[clip] = weights(tmp_path / clip)
    start = weights_before_training(tiny_config())
    moved = {
        clip: np.abs(
            runs[clip]["region_embedding.projection.weight"] - start["region_embedding.projection.weight"]
        ).max()
        for clip in runs
    }
    assert moved["1e-9"] < moved["0"] / 5


def weights_before_training(config):
    data = open_training_data(config.data, 8)
    paddle.seed(config.run.seed)
    return {
        name: value.numpy()
        for name, value in new_model(config, data.tokenizer.vocab_size, data.region_dim).state_dict().items()
    }


def test_what_a_run_leaves_behind(tiny_config, tmp_path, monkeypatch):
    rsums = iter([10.0, 30.0, 20.0, 25.0])

    def known(model, store, data):
        result = evaluate(model, store, data)
        return {**result, "rsum": next(rsums)}

    monkeypatch.setattr(trainer, "evaluate", known)
    run = tmp_path / "run"
    train(tiny_config("optim.epochs=4", f"run.dir={run}"))
    state = json.loads((run / "last" / "state.json").read_text())
    assert [(entry["epoch"], entry["step"], entry["rsum"]) for entry in state["history"]] == [
        (1, 15, 10),
        (2, 30, 30),
        (3, 45, 20),
        (4, 60, 25),
    ]
    assert set(state["history"][0]) == {"epoch", "step", "protocol", "images", "captions", "t2i", "i2t", "rsum"}
    assert state["finished"] and state["best_rsum"] == 30 and state["step"] == 60
    assert os.readlink(run / "best") == "step-000030" and os.readlink(run / "last") == "step-000060"
    assert sorted(path.name for path in run.iterdir()) == [
        "best",
        "last",
        "lock",
        "previous",
        "scalars.jsonl",
        "status.json",
        "step-000030",
        "step-000045",
        "step-000060",
        "train.log",
    ]
    assert "(best so far)" in (run / "train.log").read_text()
    updates, validations = [], []
    for line in read_scalars(run):
        (validations if "rsum" in line else updates).append(line)
    assert [(line["step"], line["epoch"], line["rsum"]) for line in validations] == [
        (entry["step"], entry["epoch"], entry["rsum"]) for entry in state["history"]
    ]
    assert validations[3]["t2i_r5"] == state["history"][3]["t2i"]["r5"]
    assert [(line["step"], line["epoch"]) for line in updates] == [(5 * n, 1 + (n - 1) // 3) for n in range(1, 13)]
    measured = {"loss", "lr", "pairs_per_second", "peak_mib", "gradient_norm", "skipped"}
    for line in updates:
        assert set(line) == {"step", "epoch", "time", *measured} and line["lr"] == 2e-3
        assert line["gradient_norm"] > 0 and line["pairs_per_second"] > 0 and line["peak_mib"] > 50


def test_of_no_epochs_the_start_is_kept_as_a_checkpoint(tiny_config, tmp_path):
    config = tiny_config("optim.epochs=0", f"run.dir={tmp_path / 'run'}")
    train(config)
    assert_equal(weights(tmp_path / "run"), weights_before_training(config))
    state = open_checkpoint(tmp_path / "run" / "last").state
    assert (state["step"], state["finished"], [entry["epoch"] for entry in state["history"]]) == (0, True, [0])
    train(config, resume=True)  # finished: it changes nothing
    assert "is finished: nothing to do" in (tmp_path / "run" / "train.log").read_text()


@pytest.mark.parametrize("linear, said", [(31.0, True), (30.0, False)])
def test_the_end_says_the_best_epoch_how_to_measure_it_and_whether_the_linear_model_is_better(
    tiny_config, tmp_path, monkeypatch, capsys, linear, said
):
    rsums = iter([10.0, 30.0, 20.0])
    monkeypatch.setattr(trainer, "evaluate", lambda *arguments: {**evaluate(*arguments), "rsum": next(rsums)})
    monkeypatch.setattr(steps, "as_json", lambda *_: {**as_json(*_), "rsum": linear})
    run = tmp_path / "a run"
    train(tiny_config("optim.epochs=3", "model.init=linear", f"run.dir={run}"))
    lines = capsys.readouterr().out.splitlines()
    end, warned = (
        [line for line in lines if line.startswith("best epoch")],
        [line for line in lines if "linear model alone" in line],
    )
    assert len(end) == 1 and end[0].startswith("best epoch 2 of 3: ") and "rsum 30.0" in end[0]
    assert end[0].endswith(f"python tools/eval.py --checkpoint '{run}'")
    assert warned == (
        ["the linear model alone had rsum 31.0, the best epoch 30.0: train longer (optim.epochs) or on more pairs"]
        if said
        else []
    )


def test_validation_after_every_so_many_epochs_and_the_last(tiny_config, tmp_path):
    train(tiny_config("optim.epochs=5", "run.eval_epochs=2", f"run.dir={tmp_path / 'run'}"))
    assert [entry["epoch"] for entry in open_checkpoint(tmp_path / "run" / "last").state["history"]] == [2, 4, 5]


def test_seed_decides_everything(tiny_config, tmp_path):
    for run, seed in (("one", 7), ("two", 7), ("three", 8)):
        np.random.seed(len(run))
        train(tiny_config("optim.epochs=1", f"run.seed={seed}", f"run.dir={tmp_path / run}"))
    assert_equal(weights(tmp_path / "one"), weights(tmp_path / "two"))
    assert (
        weights(tmp_path / "one")["text_embedding.word.weight"]
        != weights(tmp_path / "three")["text_embedding.word.weight"]
    ).any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_scores_that_are_not_finite_show_in_the_loss_though_a_hinge_hides_them(bad):
    scores = np.zeros((3, 3), np.float32)
    hidden = paddle.to_tensor(0.25, stop_gradient=False)
    assert float(Loss(hidden, paddle.to_tensor(scores)).to_log()) == 0.25
    scores[1, 2] = bad
    assert np.isnan(float(Loss(hidden, paddle.to_tensor(scores)).to_log()))


@pytest.fixture
def explode_at(monkeypatch):
    """A function: the loss is not a number from update ``step`` on."""

    def explode(step):
        scores, calls = objectives.batch_scores, []

        def exploding(*arguments):
            calls.append(1)
            return scores(*arguments) * (float("nan") if len(calls) > step else 1)

        monkeypatch.setattr(objectives, "batch_scores", exploding)

    return explode


def test_loss_that_is_not_finite_ends_the_run(tiny_config, tmp_path, explode_at):
    """Found when update 10 is logged: update 8, its captions and the checkpoint before."""
    config = tiny_config(f"run.dir={tmp_path / 'run'}", "run.save_steps=6")
    data = open_training_data(config.data, 8)
    captions = list(epoch_batches(data.store, data.train, 8, 0, 0))[7].captions
    explode_at(7)
    with pytest.raises(InputError) as stopped:
        train(config)
    assert "the loss is nan at update 8: lower optim.lr" in str(stopped.value)
    assert f"the last checkpoint, {tmp_path / 'run' / 'last'}, is step-000006;" in str(stopped.value)
    assert str(stopped.value).endswith(f"of split 'train', counted from 0: {', '.join(map(str, captions))}")


def test_loss_that_is_not_finite_is_met_before_a_checkpoint_is_written(tiny_config, tmp_path, explode_at):
    explode_at(7)
    with pytest.raises(InputError, match="the loss is nan at update 8: .*; no checkpoint is there; "):
        train(tiny_config("run.log_steps=1000", "run.save_steps=9", f"run.dir={tmp_path / 'run'}"))
    assert not (tmp_path / "run" / "last").is_symlink()


def test_weights_that_are_not_finite_are_never_saved(tiny_config, tmp_path, monkeypatch):
    def spoil(self, optimizer):
        done = step(self, optimizer)
        if optimizer.get_lr() != 2e-3:  # from update 8 on
            paddle.assign(paddle.full([16], float("inf")), optimizer._parameter_list[-1])
        return done

    step = Precision.step
    monkeypatch.setattr(Precision, "step", spoil)
    monkeypatch.setattr(trainer, "learning_rate", lambda config, step, updates: 2e-3 if step < 7 else 1e-3)
    monkeypatch.setattr(Loss, "to_log", lambda self: self.value.detach())
    with pytest.raises(InputError, match="are not finite|is (inf|nan)"):
        train(tiny_config("run.log_steps=1000", "run.save_steps=3", f"run.dir={tmp_path / 'run'}"))
    assert open_checkpoint(tmp_path / "run").state["step"] == 6
    assert all(np.isfinite(value).all() for value in weights(tmp_path / "run").values())


def test_full_disk_while_training_keeps_the_last_checkpoint(tiny_config, tmp_path, monkeypatch):
    run, write = tmp_path / "run", checkpoint_files.write_safetensors

    def full(path, *arguments):
        if "step-000006" in str(path):
            raise OSError(28, "No space left on device")
        write(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_files, "write_safetensors", full)
        with pytest.raises(InputError, match="step-000006: cannot be written: No space left on device"):
            train(tiny_config("run.save_steps=3", f"run.dir={run}"))
    assert open_checkpoint(run / "last").state["step"] == 3
    train(tiny_config("run.save_steps=3", f"run.dir={run}"), resume=True)
    assert open_checkpoint(run / "last").state["finished"]


@pytest.mark.parametrize(
    "overrides, message",
    [(["run.dir="], "run.dir is empty"), (["model.init=teacher"], "needs a teacher: use tools/distill.py")],
)
def test_config_that_cannot_be_trained(tiny_config, tmp_path, overrides, message):
    with pytest.raises(InputError, match=message):
        train(tiny_config(f"run.dir={tmp_path / 'run'}", *overrides))
    assert not (tmp_path / "run").exists()


def test_run_directory_that_cannot_be_made(tiny_config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/run: cannot be written: Not a directory"):
        train(tiny_config(f"run.dir={tmp_path / 'file' / 'run'}"))
