"""Two processes that share each batch, over gloo: the loss, gradients and files of one."""

import json
import time

import numpy as np
import pytest
import rank_work

from inflate_shrink.engine import companions, trainer
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.engine.ranks import ALONE, Ranks, joined, started
from inflate_shrink.engine.steps import train
from inflate_shrink.errors import InputError
from tool_process import FORKS, start_server

SAME = ["optim.batch_size=16", "model.dropout=0", "loss.mask_same_image=true"]
# name -> overrides, the update's number. The data have five captions an image: 16 of 120 pairs share images.
CASES = {
    "ranking": (SAME + ["loss.ranking=sum"], 0),
    "hardest-in-chunks": (SAME + ["loss.ranking=hardest", "model.codes=3", "model.score_padding=masked", "optim.chunk=4"], 0),
    "sparta": (SAME + ["model.scoring=visual_sparta", "model.fragments=all"], 0),
    "scan-in-chunks": (SAME + ["model.scoring=scan_t2i", "optim.chunk=2"], 0),
    "matching": (SAME + ["model.scoring=cross", "model.fragments=all"], 0),
    "joint": (SAME + ["model.joint=true"], 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def two(tiny_yaml, trained, tmp_path_factory):
    """The directory of what two processes left, the cases they computed, and exit code and seconds of the first."""
    directory = tmp_path_factory.mktemp("two")
    teacher, cross = trained("model.codes=3", "model.fragments=all"), trained("model.scoring=cross")
    cases = {
        **CASES,
        "cached": (SAME + [f"distill.teacher={teacher}"], 0),
        "not-cached": (SAME + [f"distill.teacher={teacher}", "distill.cache_gb=0", "optim.chunk=8"], 0),
        "from-cross": (SAME + [f"distill.teacher={cross}"], 0),
    }
    start_server()
    arguments = [rank_work.free_port() for _ in range(3)], tiny_yaml, cases, directory
    processes = [FORKS.Process(target=rank_work.work, args=(rank, *arguments)) for rank in range(2)]
    start = time.monotonic()
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        process.kill()
    return directory, cases, processes[0].exitcode, time.monotonic() - start


@pytest.mark.parametrize("name", [*CASES, "cached", "not-cached", "from-cross"])
def test_loss_and_gradients_are_those_of_one_process(two, tiny_config, name, tmp_path):
    directory, cases, _, _ = two
    overrides, step = cases[name]
    found = dict(np.load(directory / f"{name}.npz"))
    config = tiny_config(*overrides, "optim.chunk=0")
    expected = rank_work.gradients(config, ALONE, step, tmp_path / "cache")
    assert found.keys() == expected.keys() and found["loss"] == pytest.approx(float(expected["loss"]), rel=1e-5)
    sizes = {name: np.linalg.norm(values) for name, values in expected.items() if name != "loss"}
    assert sum(size > 1e-3 for size in sizes.values()) > 5  # it is no comparison of zeros
    for parameter, size in sizes.items():  # a key's bias has no gradient but rounding
        apart = np.linalg.norm(found[parameter] - expected[parameter])
        assert apart <= 1e-5 * max(size, 1e-2 * max(sizes.values())), parameter


def test_same_image_masks_of_a_batch_matter(tiny_config):
    masked, unmasked = (
        rank_work.gradients(tiny_config(*CASES["ranking"][0], f"loss.mask_same_image={mask}"), ALONE)["loss"]
        for mask in ("true", "false")
    )
    assert masked < unmasked - 0.01


def test_training_of_two_processes_ends_where_that_of_one_does(two, tiny_config, tmp_path):
    directory, _, _, _ = two
    train(tiny_config("model.dropout=0", "optim.epochs=1", f"run.dir={tmp_path / 'run'}"))
    ours, expected = (open_checkpoint(run / "run" / "last") for run in (directory, tmp_path))
    assert ours.state["step"] == expected.state["step"] == 15 and ours.state["ranks"] == 2
    weights, alone = ours.read_weights(), expected.read_weights()
    start = tiny_config("optim.epochs=0", "model.dropout=0", f"run.dir={tmp_path / 'start'}")
    train(start)
    first = open_checkpoint(tmp_path / "start").read_weights()
    far, apart = (sum(np.square(one[name] - alone[name]).sum() for name in alone) ** 0.5 for one in (first, weights))
    assert apart <= 1e-3 * far  # AdamW divides gradients by their size: rounding moves the smallest ones most


def test_the_first_process_alone_writes(two):
    directory, _, _, _ = two
    lines = (directory / "run" / "train.log").read_text().splitlines()
    assert sum("update 15/15" in line for line in lines) == 1
    assert sum("best epoch 1 of 1" in line for line in lines) == 1
    said = [(directory / f"out-{rank}").read_text() for rank in (0, 1)]
    assert "best epoch 1 of 1" in said[0] and "epoch" not in said[1]
    assert json.loads((directory / "run" / "status.json").read_text())["step"] == 15


def test_a_process_that_dies_ends_the_others(two):
    directory, _, code, seconds = two
    assert code == 2 and seconds < 100
    assert "error: rank 1: ended without a message" in (directory / "out-0").read_text()
    assert not (directory / "died" / "last").exists()


def test_seeds_differ_by_process_and_not_without_others():
    assert ALONE.seed(12) == 12
    assert len({Ranks(rank, 4).seed(12) for rank in range(4)}) == 4


@pytest.mark.parametrize(
    "size, overrides, message",
    [
        (3, [], "optim.batch_size 8: 3 processes cannot share it evenly; choose a multiple, such as 9, or"),
        (1, ["optim.chunk=3"], r"optim.chunk 3: does not divide optim.batch_size \(8\); choose a divisor"),
        (2, ["optim.chunk=8"], "optim.chunk 8: does not divide a process's 4 pairs of a batch"),
    ],
)
def test_batches_that_cannot_be_shared_or_cut(tiny_config, monkeypatch, tmp_path, size, overrides, message):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", str(size))
    with pytest.raises(InputError, match=message):
        train(tiny_config(*overrides, f"run.dir={tmp_path / 'run'}"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("rank, size", [("2", "2"), ("-1", "2"), ("0", "0"), ("one", "2")])
def test_ranks_that_are_none(monkeypatch, rank, size):
    monkeypatch.setenv("PADDLE_TRAINER_ID", rank)
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", size)
    with pytest.raises(InputError, match="is no rank: unset both, or start by python -m paddle.distributed.launch"):
        started()


def test_launch_that_names_no_place_to_meet(monkeypatch):
    for name in ("PADDLE_MASTER", "PADDLE_TRAINER_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    with pytest.raises(InputError, match="names a host and port: use python -m paddle.distributed.launch"), joined():
        pass


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_finds_no_other_says_so(monkeypatch, rank):
    port = rank_work.free_port()
    monkeypatch.setattr(companions, "_PATIENCE", 0.2)
    for name, value in rank_work.environment(rank, port).items():
        monkeypatch.setenv(name, value)
    message = (
        f"rank {rank} of 2 does not find the others at 127.0.0.1:{port} within 0.2 seconds .*: see that|no firewall"
    )
    with pytest.raises(InputError, match=message), joined():
        pass


def stopped_at(step, ranks, directory, tiny_config):
    """The config of a run that stands at update ``step`` of 30, where so many processes had come; its directory."""
    config = tiny_config("run.save_steps=3", f"run.dir={directory}")

    class Stopped(Exception):
        pass

    def stopping(*arguments):
        if arguments[6] == step:
            raise Stopped
        return update(*arguments)

    update, trainer.make_update = trainer.make_update, stopping
    try:
        with pytest.raises(Stopped):
            train(config)
    finally:
        trainer.make_update = update
    state = json.loads((directory / "last" / "state.json").read_text())
    assert (state["step"], state["ranks"]) == (step, 1)
    (directory / "last" / "state.json").write_text(json.dumps({**state, "ranks": ranks}))
    (directory / "last" / "files.json").unlink()
    return config


def test_in_the_middle_of_an_epoch_another_number_of_processes_is_refused(tiny_config, tmp_path):
    config = stopped_at(3, 2, tmp_path / "run", tiny_config)
    with pytest.raises(InputError, match="of an epoch, which processes: 2 began, not 1: resume with 2; another number"):
        train(config, resume=True)
    assert open_checkpoint(tmp_path / "run" / "last").state["step"] == 3


def test_at_an_epochs_end_another_number_of_processes_may_go_on(tiny_config, tmp_path):
    train(stopped_at(15, 2, tmp_path / "run", tiny_config), resume=True)
    state = open_checkpoint(tmp_path / "run" / "last").state
    assert state["finished"] and state["ranks"] == 1
