"""A training that goes on: to the same weights as one that never stopped, from what is whole, or not at all."""

import itertools
import os
from functools import lru_cache

import pytest
from run_weights import assert_equal, weights

from inflate_shrink.engine import trainer
from inflate_shrink.engine.checkpoint import open_checkpoint, point
from inflate_shrink.engine.checkpoint_files import read_training
from inflate_shrink.engine.evaluate import evaluate
from inflate_shrink.engine.precision import Precision
from inflate_shrink.engine.scalars import read_scalars
from inflate_shrink.engine.steps import distill, train
from inflate_shrink.errors import InputError
from inflate_shrink.lock import locked


class Stopped(Exception):
    pass


@pytest.fixture
def stop_after(monkeypatch):
    """A function: let the next run fail in the update after ``step`` updates."""

    def stop(step):
        update = trainer.make_update

        def failing(*arguments):
            if arguments[6] == step:
                monkeypatch.setattr(trainer, "make_update", update)
                raise Stopped
            return update(*arguments)

        monkeypatch.setattr(trainer, "make_update", failing)

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
@pytest.mark.parametrize("steps, accumulate", [((0, 3, 11, 15, 22), 1), ((3, 7), 3)])
def test_resumed_in_a_process_that_has_trained_before(
    tiny_config, tmp_path, stop_after, never_stopped, steps, accumulate
):
    overrides = ["run.save_steps=2", "optim.schedule=cosine", "optim.warmup_steps=5", f"optim.accumulate={accumulate}"]
    whole, config = never_stopped(*overrides), tiny_config(*overrides, f"run.dir={tmp_path / 'run'}")
    for number, step in enumerate(steps):
        stop_after(step)
        with pytest.raises(Stopped):
            train(config, resume=number > 0)
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

    def is_enable(self):
        return False  # whether it skipped an update is not asked then

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


def test_the_loss_scaler_and_the_scalars_go_on_where_they_were(tiny_config, tmp_path, monkeypatch, stop_after):
    class Scaled(Precision):
        def __init__(self, config):
            super().__init__(config)
            self.scaler = GrowingScaler()

    monkeypatch.setattr(trainer, "Precision", Scaled)
    config = tiny_config("optim.epochs=1", "run.save_steps=2", "run.log_steps=1", f"run.dir={tmp_path / 'run'}")
    stop_after(7)
    with pytest.raises(Stopped):
        train(config)
    assert [line["step"] for line in read_scalars(tmp_path / "run")] == [*range(1, 8)]  # the seventh is made again
    train(config, resume=True)
    assert read_training(tmp_path / "run" / "last")["scaler"] == {"scale": 2.0**6, "count": 15}
    assert [line["step"] for line in read_scalars(tmp_path / "run")] == [*range(1, 16), 15]


@pytest.mark.slow
@pytest.mark.parametrize("steps, damaged, says", [
    (21, {"last": "model.safetensors"}, "last/model.safetensors: its checksum is not the one in files.json"),
    (30, {"last": "state.json"}, "last/state.json: its checksum"),  # the best one too
    (21, {"last": "train.safetensors", "previous": "train.safetensors"}, "last/train.safetensors: its checksum"),
])  # fmt: skip
def test_damaged_last_is_replaced_by_the_newest_whole_one(
    tiny_config, tmp_path, stop_after, never_stopped, capsys, steps, damaged, says
):
    """After 21 updates RUN/last is at 20, RUN/previous at 18 and RUN/best at 15; after 30 all but RUN/previous, at 28, are at 30."""
    overrides = ["run.save_steps=2", "optim.epochs=3"]
    whole, run = never_stopped(*overrides), tmp_path / "run"
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
        assert_equal(weights(run / link), weights(whole / link))
        assert open_checkpoint(run / link).state == open_checkpoint(whole / link).state


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
