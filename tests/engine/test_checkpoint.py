"""Checkpoints: what is written is read back, a writer that dies leaves the ones before it, and what is damaged is named."""

import errno
import hashlib
import json
import os
import pickle
import shutil

import numpy as np
import paddle
import pytest
import yaml

from inflate_shrink.config import to_dict
from inflate_shrink.engine import checkpoint_files
from inflate_shrink.engine.checkpoint import (
    discard_unlinked,
    new_model,
    open_checkpoint,
    open_newest,
    point,
    write_checkpoint,
)
from inflate_shrink.engine.checkpoint_files import read_training
from inflate_shrink.errors import InputError

VOCABULARY = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nred\n"


@pytest.fixture
def model(tiny_config):
    return new_model(tiny_config(), vocab_size=5, region_dim=7)


@pytest.fixture
def run(tmp_path, model, tiny_config):
    """A run directory with one checkpoint, RUN/last."""
    write_checkpoint(
        tmp_path / "run" / "step-000001", model, tiny_config(), VOCABULARY, {"step": 1}, {"optimizer": {}, "scaler": {}}
    )
    point(tmp_path / "run", "last", tmp_path / "run" / "step-000001")
    return tmp_path / "run"


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def same(model, other):
    states = model.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(
        np.array_equal(states[0][name].numpy(), states[1][name].numpy()) for name in states[0]
    )


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
    assert read_training(checkpoint.directory) == {"optimizer": {}, "scaler": {}}


def test_without_optimizer_state_it_can_be_used_but_not_resumed(tmp_path, model, tiny_config):
    write_checkpoint(tmp_path / "converted", model, tiny_config(), VOCABULARY, {})
    assert same(open_checkpoint(tmp_path / "converted").load_model(), model)
    with pytest.raises(InputError, match="converted: holds no optimizer state"):
        read_training(tmp_path / "converted")


def test_run_directory_means_its_best_else_its_last(run, model, tiny_config):
    assert open_checkpoint(run).state["step"] == 1
    for step, links in ((2, ["best"]), (3, ["last"])):
        write_checkpoint(run / f"step-{step:06d}", model, tiny_config(), VOCABULARY, {"step": step})
        for link in links:
            point(run, link, run / f"step-{step:06d}")
    assert open_checkpoint(run).state["step"] == 2
    assert open_checkpoint(run / "last").state["step"] == 3
    assert names(run) == ["best", "last", "previous", "step-000001", "step-000002", "step-000003"]
    write_checkpoint(run / "step-000004", model, tiny_config(), VOCABULARY, {"step": 4})
    point(run, "last", run / "step-000004")
    # The first is not needed any more.
    assert names(run) == [
        "best",
        "last",
        "previous",
        "step-000002",
        "step-000003",
        "step-000004",
    ]
    assert {link: os.readlink(run / link) for link in ("last", "previous", "best")} == {
        "last": "step-000004",
        "previous": "step-000003",
        "best": "step-000002",
    }


def test_killed_writer_leaves_the_old_checkpoint(run, model, tiny_config, monkeypatch):
    def killed(*arguments, **options):
        raise KeyboardInterrupt

    before = names(run)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(json, "dumps", killed)  # of the last files of a checkpoint
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
    assert not leftover.exists() and os.readlink(run / "previous") == "step-000001"


def test_discarding_keeps_what_is_linked(run):
    shutil.copytree(run / "step-000001", run / "step-000007")
    discard_unlinked(run)
    assert names(run) == ["last", "step-000001"]


@pytest.mark.parametrize("function", [(os, "fsync"), (checkpoint_files, "write_safetensors")])
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


@pytest.mark.parametrize("name", ["config.yaml", "model.safetensors", "state.json"])
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


def old(directory):
    """Make a checkpoint what it was before there were lists and safetensors."""
    model, training = open_checkpoint(directory).load_model(), read_training(directory)
    for name in ("files.json", "model.safetensors", "train.safetensors"):
        (directory / name).unlink()
    paddle.save(model.state_dict(), str(directory / "model.pdparams"))
    paddle.save(training, str(directory / "train.pdopt"))
    return directory


def test_old_checkpoint(run, model):
    old(run / "last")
    checkpoint = open_checkpoint(run)
    assert same(checkpoint.load_model(), model)
    assert read_training(checkpoint.directory) == {"optimizer": {}, "scaler": {}}
    content = (run / "last" / "model.pdparams").read_bytes()
    assert (
        checkpoint.origin()["fingerprint"] == hashlib.sha256(content).hexdigest()[:16] == checkpoint.fingerprint()[:16]
    )


def test_fingerprint_changes_with_the_weights_alone(run, model, tiny_config, tmp_path):
    write_checkpoint(tmp_path / "again", model, tiny_config(), None, {"step": 7})
    assert open_checkpoint(tmp_path / "again").fingerprint() == open_checkpoint(run).fingerprint()
    write_checkpoint(tmp_path / "other", new_model(tiny_config(), 5, 7), tiny_config(), VOCABULARY, {"step": 1})
    assert open_checkpoint(tmp_path / "other").fingerprint() != open_checkpoint(run).fingerprint()


def use(run):
    checkpoint = open_checkpoint(run)
    checkpoint.tokenizer()
    checkpoint.load_model()
    read_training(checkpoint.directory)


def test_whole_checkpoint_of_the_run_is_offered(run, model, tiny_config):
    write_checkpoint(
        run / "step-000002", model, tiny_config(), VOCABULARY, {"step": 2}, {"optimizer": {}, "scaler": {}}
    )
    point(run, "last", run / "step-000002")
    os.truncate(run / "last" / "state.json", 10)
    with pytest.raises(InputError, match=f"last/state.json: has 10 bytes, .*; {run}/previous is whole$"):
        open_checkpoint(run)
    os.truncate(run / "previous" / "model.safetensors", 10)
    with pytest.raises(
        InputError,
        match="last/state.json: has 10 bytes, [^;]*; it is damaged, copy it again, or remove files.json if you edited it$",
    ):
        open_checkpoint(run)


def test_newest_whole_checkpoint(run, model, tiny_config):
    for step, links in ((2, ["best"]), (3, ["last"])):
        write_checkpoint(
            run / f"step-{step:06d}", model, tiny_config(), VOCABULARY, {"step": step}, {"optimizer": {}, "scaler": {}}
        )
        for link in links:
            point(run, link, run / f"step-{step:06d}")
    for step, link, name in ((3, "last", "vocab.txt"), (1, "previous", "train.safetensors"), (2, "best", "state.json")):
        found = open_newest(run)
        assert found.checkpoint.state["step"] == step and len(found.damaged) == (3, 1, 2).index(step)
        os.truncate(run / link / name, 5)
    with pytest.raises(InputError, match="last/vocab.txt"):
        open_newest(run)


@pytest.mark.parametrize("form", ["safetensors", "pdparams"])
@pytest.mark.parametrize(
    "key, value",
    [("vocab_size", 10**12), ("region_dim", 10**12), ("vocab_size", 0), ("vocab_size", "5"), ("region_dim", None)],
)
def test_sizes_of_another_model_take_no_memory(run, form, key, value):
    path = (run if form == "safetensors" else old(run / "last").parent) / "last" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    (path.parent / "files.json").unlink(missing_ok=True)
    with pytest.raises(InputError, match=f"{key} is|weights of another model: .* expected .*1000000000000"):
        open_checkpoint(run).load_model()


@pytest.mark.parametrize(
    "name, content",
    [
        ("state.json", "{"),
        ("state.json", "[]"),
        ("state.json", "{}"),
        ("state.json", "[" * 100000),
        ("config.yaml", "model: {"),
        ("config.yaml", ""),
        ("config.yaml", "model: {colour: red}"),
    ],
)
def test_damaged_description(run, name, content):
    (run / "last" / "files.json").unlink()
    (run / "last" / name).write_text(content)
    with pytest.raises(InputError, match=name) as caught:
        open_checkpoint(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x80\x04garbage", b"not a pickle at all", pickle.dumps([1, 2])])
def test_damaged_weights_without_a_list(run, content):
    (old(run / "last") / "model.pdparams").write_bytes(content)
    with pytest.raises(InputError, match="model.pdparams: damaged or not written by Paddle"):
        open_checkpoint(run).load_model()


@pytest.mark.parametrize(
    "name, read",
    [
        ("model.pdparams", lambda run: open_checkpoint(run).load_model()),
        ("train.pdopt", lambda run: read_training(run / "last")),
    ],
)
def test_nothing_in_an_old_checkpoint_runs(run, tmp_path, name, read):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'trap'}",)

    (old(run / "last") / name).write_bytes(pickle.dumps({"optimizer": {}, "codes.text": Evil()}))
    try:
        read(run)
    except InputError as error:
        assert name in str(error)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "override, message",
    [
        ("model.hidden=32", r"region_embedding.norm.bias has shape \[16\], expected \[32\]"),
        ("model.layers=2", r"transformer.layers.1.attention_norm.bias has shape None, expected \[16\]"),
        ("model.codes=3", r"codes.image has shape None, expected \[3, 16\]"),
    ],
)
def test_weights_of_another_model_name_the_parameter(run, tiny_config, override, message):
    checkpoint = open_checkpoint(run)._replace(config=tiny_config(override))
    with pytest.raises(InputError, match=f"model.safetensors: weights of another model: .*({message})"):
        checkpoint.load_model()


def test_weights_that_the_model_lacks_are_refused(run, tiny_config):
    checkpoint_files.write_weights(run / "last", new_model(tiny_config("model.codes=2"), 5, 7).state_dict())
    (run / "last" / "files.json").unlink()
    with pytest.raises(InputError, match=r"codes.image has shape \[2, 16\], expected None"):
        open_checkpoint(run).load_model()


def test_config_is_stored_resolved(run, tiny_config):
    assert yaml.safe_load((run / "last" / "config.yaml").read_text()) == to_dict(tiny_config())


def test_parameter_names_do_not_depend_on_what_was_built_before(tiny_config):
    first, second = (new_model(tiny_config(), 5, 7) for _ in range(2))
    assert [p.name for p in first.parameters()] == [p.name for p in second.parameters()]
    assert len({p.name for p in first.parameters()}) == len(first.parameters())
