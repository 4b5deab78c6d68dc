"""The training loop in this process: what an update is, what a run leaves behind."""

import itertools
import json
import os
from functools import lru_cache

import numpy as np
import paddle
import pytest

from inflate_shrink.config import AmpConfig
from inflate_shrink.data.batches import epoch_batches
from inflate_shrink.data.tokenized import open_training_data
from inflate_shrink.engine import checkpoint_files, objectives, steps, trainer
from inflate_shrink.engine.checkpoint import new_model, open_checkpoint, point
from inflate_shrink.engine.checkpoint_files import read_training
from inflate_shrink.engine.evaluate import as_json, evaluate
from inflate_shrink.engine.objectives import Loss, RankingObjective
from inflate_shrink.engine.precision import Precision
from inflate_shrink.engine.steps import distill, train
from inflate_shrink.errors import InputError
from inflate_shrink.lock import locked
from inflate_shrink.losses.ranking import landmarks


def weights(directory):
    return {name: value.numpy() for name, value in open_checkpoint(directory).load_model().state_dict().items()}


def assert_equal(ours, expected):
    assert ours.keys() == expected.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], expected[name], err_msg=name)


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
    config = tiny_config("optim.accumulate=2", "model.dropout=0", "optim.batch_size=10")
    data = open_training_data(config.data, 10)
    model = new_model(config, data.tokenizer.vocab_size, data.region_dim)
    objective, precision = RankingObjective(config.loss), Precision(AmpConfig())
    batches = list(epoch_batches(data.store, data.train, 10, 0, 0))[:2]

    def update(config, batches):
        optimizer = RecordingOptimizer(model.parameters())
        loss = trainer._update(model, optimizer, objective, precision, config, iter(batches), step=0, lr=0.5)
        assert optimizer.lr == 0.5 and all(p.grad is None or not p.grad.numpy().any() for p in optimizer.parameters)
        return float(loss), optimizer.gradients

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
        "status.json",
        "step-000030",
        "step-000045",
        "step-000060",
        "train.log",
    ]
    assert "(best so far)" in (run / "train.log").read_text()


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


class Stopped(Exception):
    pass


@pytest.fixture
def stop_after(monkeypatch):
    """A function: let the next run fail in the update after ``step`` updates."""

    def stop(step):
        update = trainer._update

        def failing(*arguments):
            if arguments[6] == step:
                monkeypatch.setattr(trainer, "_update", update)
                raise Stopped
            return update(*arguments)

        monkeypatch.setattr(trainer, "_update", failing)

    return stop


@pytest.fixture(scope="module")
def never_stopped(tiny_config, tmp_path_factory):
    """A function: overrides -> a run with them, made once."""

    @lru_cache(None)
    def run(*overrides):
        directory = tmp_path_factory.mktemp("whole") / "run"
        train(tiny_config(*overrides, f"run.dir={directory}"))
        return directory

    return run


@pytest.mark.slow
@pytest.mark.parametrize("step, accumulate", [(0, 1), (3, 1), (11, 1), (15, 1), (22, 1), (3, 3), (7, 3)])
def test_resumed_in_a_process_that_has_trained_before(
    tiny_config, tmp_path, stop_after, never_stopped, step, accumulate
):
    overrides = ["run.save_steps=2", "optim.schedule=cosine", "optim.warmup_steps=5", f"optim.accumulate={accumulate}"]
    whole, config = never_stopped(*overrides), tiny_config(*overrides, f"run.dir={tmp_path / 'run'}")
    stop_after(step)
    with pytest.raises(Stopped):
        train(config)
    train(config, resume=True)
    assert_equal(weights(tmp_path / "run" / "last"), weights(whole / "last"))
    states = [open_checkpoint(run / "last").state for run in (tmp_path / "run", whole)]
    assert states[0] == states[1]


@pytest.mark.slow
def test_killed_between_the_links_of_an_epoch(tiny_config, tmp_path, monkeypatch):
    """RUN/best is put before RUN/last: the other way round, an epoch that is done would never become the best."""
    rsums = itertools.count(100, -1)  # the first epoch is the best
    monkeypatch.setattr(trainer, "evaluate", lambda *arguments: {**evaluate(*arguments), "rsum": next(rsums)})
    train(tiny_config(f"run.dir={tmp_path / 'whole'}"))
    config, links = tiny_config(f"run.dir={tmp_path / 'run'}"), []

    def killed_after_the_first(*arguments):
        if links:
            raise Stopped
        links.append(arguments)
        point(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "point", killed_after_the_first)
        with pytest.raises(Stopped):
            train(config)
    train(config, resume=True)
    assert os.readlink(tmp_path / "run" / "best") == os.readlink(tmp_path / "whole" / "best")
    assert [path.name for path in sorted((tmp_path / "run").iterdir())] == [
        path.name for path in sorted((tmp_path / "whole").iterdir())
    ]
    for link in ("best", "last"):
        assert_equal(weights(tmp_path / "run" / link), weights(tmp_path / "whole" / link))


class GrowingScaler:
    """A loss scaler whose factor doubles at every third update, as paddle's does after many; it needs no GPU."""

    def __init__(self):
        self.factor, self.updates = 2.0, 0

    def scale(self, loss):
        return loss * self.factor

    def step(self, optimizer):
        optimizer.step()  # with gradients as they are: nothing here depends on their size

    def update(self):
        self.updates += 1
        self.factor *= 2 if self.updates % 3 == 0 else 1

    def state_dict(self):
        return {"scale": self.factor, "count": self.updates}

    def load_state_dict(self, state):
        self.factor, self.updates = state["scale"], state["count"]


def test_the_loss_scaler_goes_on_where_it_was(tiny_config, tmp_path, monkeypatch, stop_after):
    class Scaled(Precision):
        def __init__(self, config):
            super().__init__(config)
            self.scaler = GrowingScaler()

    monkeypatch.setattr(trainer, "Precision", Scaled)
    config = tiny_config("optim.epochs=1", "run.save_steps=2", f"run.dir={tmp_path / 'run'}")
    stop_after(7)
    with pytest.raises(Stopped):
        train(config)
    train(config, resume=True)
    assert read_training(tmp_path / "run" / "last")["scaler"] == {"scale": 2.0**6, "count": 15}


@pytest.mark.slow
@pytest.mark.parametrize("steps, damaged, says", [
    (21, {"last": "model.safetensors"}, "last/model.safetensors: its checksum is not the one in files.json"),
    (30, {"last": "state.json"}, "last/state.json: its checksum"),  # the best one too
    (21, {"last": "train.safetensors", "previous": "train.safetensors"}, "last/train.safetensors: its checksum"),
])  # fmt: skip
def test_damaged_last_is_replaced_by_the_newest_whole_one(
    tiny_config, tmp_path, stop_after, capsys, steps, damaged, says
):
    """After 21 updates RUN/last is at 20, RUN/previous at 18 and RUN/best at 15; after 30 all but RUN/previous, at 28, are at 30."""
    overrides = ["run.save_steps=2", "optim.epochs=3"]
    train(tiny_config(*overrides, f"run.dir={tmp_path / 'whole'}"))
    run = tmp_path / "run"
    config = tiny_config(*overrides, f"run.dir={run}")
    stop_after(steps)
    with pytest.raises(Stopped):
        train(config)
    for link, name in damaged.items():
        content = bytearray((run / link / name).read_bytes())
        content[len(content) // 2] ^= 1
        (run / link / name).write_bytes(content)
    train(config, resume=True)
    lines = [line for line in capsys.readouterr().out.splitlines() if "instead" in line]
    assert (
        len(lines) == 1
        and says in lines[0]
        and f": going on from {run / ('best' if len(damaged) == 2 else 'previous')} instead" in lines[0]
    )
    for link in ("last", "previous", "best"):
        assert_equal(weights(run / link), weights(tmp_path / "whole" / link))
        assert open_checkpoint(run / link).state == open_checkpoint(tmp_path / "whole" / link).state


def test_run_whose_checkpoints_are_all_damaged(tiny_config, tmp_path, stop_after):
    config = tiny_config("run.save_steps=2", f"run.dir={tmp_path / 'run'}")
    stop_after(5)
    with pytest.raises(Stopped):
        train(config)
    for path in (tmp_path / "run").glob("step-*/state.json"):
        path.write_text("{}")
    before = sorted((tmp_path / "run").rglob("*"))
    with pytest.raises(InputError, match="last/state.json: has 2 bytes"):
        train(config, resume=True)
    assert sorted((tmp_path / "run").rglob("*")) == before


def test_names_in_the_optimizer_state_do_not_depend_on_earlier_runs(tiny_config, tmp_path):
    names = []
    for run in ("one", "two"):
        train(tiny_config("optim.epochs=1", f"run.dir={tmp_path / run}"))
        names.append(set(read_training(tmp_path / run / "last")["optimizer"]))
    assert names[0] == names[1]


def test_checkpoint_that_a_run_left_before_its_first_link_is_not_taken_over(
    tiny_config, tmp_path, monkeypatch, stop_after
):
    def killed(*arguments):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "point", killed)
        with pytest.raises(Stopped):
            train(tiny_config("run.seed=5", "run.save_steps=2", f"run.dir={tmp_path / 'run'}"))
    assert (tmp_path / "run" / "step-000002").is_dir()
    stop_after(3)
    with pytest.raises(Stopped):
        train(tiny_config("run.save_steps=2", f"run.dir={tmp_path / 'run'}"))
    checkpoint = open_checkpoint(tmp_path / "run" / "last")
    assert (checkpoint.state["step"], checkpoint.config.run.seed) == (2, 0)


def test_finished_run_is_left_alone(tiny_config, trained, capsys):
    run = trained()
    before = {path: path.stat().st_mtime_ns for path in (run / "last").iterdir()}
    capsys.readouterr()
    train(tiny_config("optim.epochs=1", f"run.dir={run}"), resume=True)
    assert "is finished: nothing to do" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in (run / "last").iterdir()}


@pytest.mark.slow
def test_a_second_training_into_one_directory_is_refused_before_it_begins(tiny_config, tmp_path, stop_after):
    run = tmp_path / "run"
    stop_after(4)
    with pytest.raises(Stopped):
        train(tiny_config("run.save_steps=2", f"run.dir={run}"))
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.name != "lock"}
    with locked(run / "lock", run):
        with pytest.raises(
            InputError,
            match=rf"^{run}: is being written by process {os.getpid()} on \S+ since [-\d]+ [:\d]+; try again when that has ended$",
        ):
            train(tiny_config("run.save_steps=2", f"run.dir={run}"), resume=True)
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.name != "lock"}
    train(tiny_config("run.save_steps=2", f"run.dir={run}"), resume=True)


def test_a_second_distilling_into_one_directory_is_refused_before_it_begins(tiny_config, trained, tmp_path):
    run = tmp_path / "run"
    with locked(run / "lock", run):
        with pytest.raises(InputError, match="run: is being written by process"):
            distill(tiny_config(f"distill.teacher={trained()}", f"run.dir={run}"))
    assert [path.name for path in run.iterdir()] == ["lock"]


def test_existing_run_is_refused_without_resume(tiny_config, trained):
    with pytest.raises(InputError, match="already holds a run: --resume goes on"):
        train(tiny_config("optim.epochs=1", f"run.dir={trained()}"))


@pytest.mark.parametrize(
    "key, value",
    [
        ("optim.lr", "1e-5"),
        ("model.fragments", "2"),
        ("run.seed", "9"),
        ("run.eval_epochs", "2"),
        ("optim.epochs", "3"),
    ],
)
def test_changed_config_is_refused_by_name(tiny_config, trained, key, value):
    with pytest.raises(InputError, match=rf"was started with another config \({key}: "):
        train(tiny_config("optim.epochs=1", f"{key}={value}", f"run.dir={trained()}"), resume=True)


@pytest.mark.parametrize("override", ["run.log_steps=1", "run.save_steps=3", "name=other"])
def test_what_does_not_change_the_weights_may_change(tiny_config, trained, override):
    train(tiny_config("optim.epochs=1", override, f"run.dir={trained()}"), resume=True)


def test_changed_data_is_refused(tiny_config, own_data, tmp_path, stop_after):
    config = tiny_config("run.save_steps=1", f"data.dir={own_data}", f"run.dir={tmp_path / 'run'}")
    stop_after(3)
    with pytest.raises(Stopped):
        train(config)
    (own_data / "files.json").unlink()
    captions = (own_data / "captions.tsv").read_text()
    (own_data / "captions.tsv").write_text(captions.replace(" red ", " blue "))
    with pytest.raises(InputError, match="was started on other data than .* now holds"):
        train(config, resume=True)


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
    explode_at(7)
    with pytest.raises(InputError, match="the loss is nan at update 10: lower optim.lr"):
        train(tiny_config(f"run.dir={tmp_path / 'run'}"))


def test_weights_that_are_not_finite_are_never_saved(tiny_config, tmp_path, explode_at):
    explode_at(7)
    with pytest.raises(InputError, match="the weights are not finite at update 9"):
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
