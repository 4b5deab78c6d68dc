"""Checkpoints: what is written is read back, and a writer that dies leaves the ones before it."""

import errno
import json
import os
import shutil

import numpy as np
import paddle
import pytest
import yaml

from inflate_shrink.config import to_dict
from inflate_shrink.engine.checkpoint import (
    discard_unlinked,
    load_train_state,
    load_weights,
    new_model,
    open_checkpoint,
    point,
    write_checkpoint,
)
from inflate_shrink.errors import InputError

VOCABULARY = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nred\n"


@pytest.fixture
def model(tiny_config):
    return new_model(tiny_config(), vocab_size=5, region_dim=7)


@pytest.fixture
def run(tmp_path, model, tiny_config):
    """A run directory with one checkpoint, RUN/last."""
    write_checkpoint(tmp_path / "run" / "step-000001", model, tiny_config(), VOCABULARY, {"step": 1}, {"optimizer": {}, "scaler": {}})
    point(tmp_path / "run", "last", tmp_path / "run" / "step-000001")
    return tmp_path / "run"


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def same(model, other):
    states = model.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(np.array_equal(states[0][name].numpy(), states[1][name].numpy()) for name in states[0])


def full_disk(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_round_trip(run, model, tiny_config):
    checkpoint = open_checkpoint(run)
    assert checkpoint.directory.resolve() == run / "step-000001"
    assert checkpoint.config == tiny_config()
    assert checkpoint.state == {"step": 1, "vocab_size": 5, "region_dim": 7, "paddle": paddle.__version__}
    assert checkpoint.vocab_file.read_bytes() == VOCABULARY
    assert checkpoint.tokenizer().vocab_size == 5 and checkpoint.tokenizer().length == 32
    loaded = checkpoint.load_model()
    assert same(loaded, model) and not loaded.training
    assert load_train_state(checkpoint.directory) == {"optimizer": {}, "scaler": {}}


def test_without_optimizer_state_it_can_be_used_but_not_resumed(tmp_path, model, tiny_config):
    write_checkpoint(tmp_path / "converted", model, tiny_config(), VOCABULARY, {})
    assert same(open_checkpoint(tmp_path / "converted").load_model(), model)
    with pytest.raises(InputError, match="converted: holds no optimizer state"):
        load_train_state(tmp_path / "converted")


def test_run_directory_means_its_best_else_its_last(run, model, tiny_config):
    assert open_checkpoint(run).state["step"] == 1
    for step, links in ((2, ["best"]), (3, ["last"])):
        write_checkpoint(run / f"step-{step:06d}", model, tiny_config(), VOCABULARY, {"step": step})
        for link in links:
            point(run, link, run / f"step-{step:06d}")
    assert open_checkpoint(run).state["step"] == 2
    assert open_checkpoint(run / "last").state["step"] == 3
    assert names(run) == ["best", "last", "step-000002", "step-000003"]  # the first is not needed any more


def test_killed_writer_leaves_the_old_checkpoint(run, model, tiny_config, monkeypatch):
    def killed(*arguments, **options):
        raise KeyboardInterrupt

    before = names(run)
    monkeypatch.setattr(json, "dumps", killed)  # the last file of a checkpoint
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(run / "step-000002", model, tiny_config(), VOCABULARY, {"step": 2})
    assert names(run) == before
    assert same(open_checkpoint(run).load_model(), model)


def test_half_written_leftovers_are_ignored_and_removed(run, model, tiny_config):
    leftover = run / ".step-000002.tmp-1234"
    shutil.copytree(run / "step-000001", leftover)
    (leftover / "state.json").unlink()
    os.symlink("step-000009", run / ".last.tmp-1234")
    assert open_checkpoint(run).state["step"] == 1
    write_checkpoint(run / "step-000002", model, tiny_config(), VOCABULARY, {"step": 2})
    point(run, "last", run / "step-000002")
    assert open_checkpoint(run).state["step"] == 2
    assert not leftover.exists() and not (run / "step-000001").exists()


def test_discarding_keeps_what_is_linked(run):
    shutil.copytree(run / "step-000001", run / "step-000007")
    discard_unlinked(run)
    assert names(run) == ["last", "step-000001"]


@pytest.mark.parametrize("function", [(os, "fsync"), (paddle, "save")])
def test_full_disk_is_an_error_of_one_line_and_the_old_checkpoint_stays(run, model, tiny_config, monkeypatch, function):
    before = names(run)
    with monkeypatch.context() as patch:
        patch.setattr(*function, full_disk)
        with pytest.raises(InputError, match="step-000002: cannot be written: No space left on device"):
            write_checkpoint(run / "step-000002", model, tiny_config(), VOCABULARY, {"step": 2})
    assert names(run) == before
    assert same(open_checkpoint(run).load_model(), model)


def test_missing_directory(tmp_path):
    with pytest.raises(InputError, match="nothing: no such checkpoint directory"):
        open_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["config.yaml", "model.pdparams", "state.json"])
def test_missing_file(run, name):
    (run / "step-000001" / name).unlink()
    with pytest.raises(InputError, match=f"last: not a checkpoint: {name} is missing"):
        open_checkpoint(run)


def test_without_vocabulary_it_gives_a_model_but_no_tokenizer(tmp_path, model, tiny_config):
    write_checkpoint(tmp_path / "converted", model, tiny_config(), None, {})
    checkpoint = open_checkpoint(tmp_path / "converted")
    assert same(checkpoint.load_model(), model)
    with pytest.raises(InputError, match="converted: holds no vocab.txt"):
        checkpoint.tokenizer()


@pytest.mark.parametrize(
    "name, content",
    [
        ("state.json", "{"),
        ("state.json", "[]"),
        ("state.json", "{}"),
        ("config.yaml", "model: {"),
        ("config.yaml", ""),
        ("config.yaml", "model: {colour: red}"),
    ],
)
def test_damaged_description(run, name, content):
    (run / "last" / name).write_text(content)
    with pytest.raises(InputError, match=name):
        open_checkpoint(run)


@pytest.mark.parametrize("content", [b"", b"\x80\x04garbage", b"not a pickle at all"])
def test_damaged_weights(run, content):
    (run / "last" / "model.pdparams").write_bytes(content)
    with pytest.raises(InputError, match="model.pdparams: damaged or not written by Paddle"):
        open_checkpoint(run).load_model()


def test_truncated_weights(run):
    path = run / "last" / "model.pdparams"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(InputError, match="model.pdparams: damaged"):
        open_checkpoint(run).load_model()


@pytest.mark.parametrize("content, message", [([1, 2], "damaged or not written by Paddle"), ({"optimizer": {}}, "weights of another model")])
def test_weights_file_that_holds_something_else(run, content, message):
    paddle.save(content, str(run / "last" / "model.pdparams"))
    with pytest.raises(InputError, match=f"model.pdparams: {message}"):
        open_checkpoint(run).load_model()


@pytest.mark.parametrize(
    "override, message",
    [
        ("model.hidden=32", r"region_embedding.norm.bias has shape \[16\], expected \[32\]"),
        ("model.layers=2", r"transformer.layers.1.attention_norm.bias has shape None, expected \[16\]"),
        ("model.codes=3", r"codes.image has shape None, expected \[3, 16\]"),
    ],
)
def test_weights_of_another_model_name_the_parameter(run, tiny_config, override, message):
    with pytest.raises(InputError, match=f"model.pdparams: weights of another model: {message}"):
        load_weights(new_model(tiny_config(override), 5, 7), run / "last")


def test_weights_that_the_model_lacks_are_refused(run, tiny_config):
    config = tiny_config("model.codes=2")
    paddle.save(new_model(config, 5, 7).state_dict(), str(run / "last" / "model.pdparams"))
    with pytest.raises(InputError, match=r"codes.image has shape \[2, 16\], expected None"):
        open_checkpoint(run).load_model()


def test_config_is_stored_resolved(run, tiny_config):
    assert yaml.safe_load((run / "last" / "config.yaml").read_text()) == to_dict(tiny_config())


def test_parameter_names_do_not_depend_on_what_was_built_before(tiny_config):
    first, second = (new_model(tiny_config(), 5, 7) for _ in range(2))
    assert [p.name for p in first.parameters()] == [p.name for p in second.parameters()]
    assert len({p.name for p in first.parameters()}) == len(first.parameters())
