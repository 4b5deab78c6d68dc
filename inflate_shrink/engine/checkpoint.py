"""Checkpoints: directories that appear whole, with everything that is needed to go on.

    RUN/step-000500/model.pdparams   the weights
                    train.pdopt      optimizer and loss scaler (absent in converted checkpoints)
                    config.yaml      the resolved configuration
                    vocab.txt        the WordPiece vocabulary
                    state.json       step, sizes of the inputs, best result, history
    RUN/last, RUN/best               symbolic links to two of them
    RUN/lock                         held by the process that trains here

A new checkpoint gets a new name and the links are replaced by rename, so a run that is
killed at any moment, or a full disk, leaves the previous ones as they were.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import paddle
import yaml

from ..atomic import atomic_path, atomic_symlink
from ..config import Config, config_from_dict, read_yaml, to_dict
from ..data.extractors import same_extractor
from ..data.store import Store, open_store
from ..data.text import CaptionTokenizer
from ..errors import InputError
from ..model.encoder import DualEncoder

LINKS = ("last", "best")


class Checkpoint(NamedTuple):
    directory: Path
    config: Config
    state: dict
    any_extractor: bool = False  # take regions of another extractor than the training's, too

    @property
    def vocab_file(self) -> Path:
        return self.directory / "vocab.txt"

    def tokenizer(self) -> CaptionTokenizer:
        if not self.vocab_file.exists():
            raise InputError(f"{self.directory}: holds no vocab.txt, so it cannot read captions: put the vocabulary there that it was trained with")
        data = self.config.data
        return CaptionTokenizer(self.vocab_file, data.text_length, data.first_token, data.last_token)

    def open_data(self, directory: str | Path) -> Store:
        """Open the data set in ``directory``; raises InputError if its regions are of another dimension or extractor than the training's."""
        store = open_store(directory)
        found, expected = store.regions.shape[-1], self.state["region_dim"]
        if found != expected:
            raise InputError(f"{directory}: regions have {found} dimensions, {self.directory} was trained on {expected}")
        self.require_same_extractor(store)
        return store

    def require_same_extractor(self, store: Store) -> None:
        """Raise InputError if both say what extracted their regions, and it differs. Checkpoints of earlier versions do not say it."""
        made_by, found = self.state.get("regions"), store.regions_made_by["extractor"]
        expected = str(made_by.get("extractor") or "") if isinstance(made_by, dict) else ""
        if not (self.any_extractor or same_extractor(found, expected)):
            raise InputError(
                f"{store.directory}: its regions are of the extractor {found!r}, {self.directory} was trained on those of {expected!r};"
                " extract them with that one, or insist with --any-extractor (of a training: data.any_extractor=true)"
            )

    def origin(self) -> dict:
        """What an index or an exported encoder says of the model it is made of; ``fingerprint`` changes with the weights."""
        model = self.config.model
        weights = hashlib.sha256((self.directory / "model.pdparams").read_bytes()).hexdigest()[:16]
        shape = {"codes": model.codes, "fragments": model.fragments, "score_padding": model.score_padding}
        return {"name": self.config.name, "checkpoint": str(self.directory), "fingerprint": weights, **shape}

    def load_model(self) -> DualEncoder:
        """The model with its weights, in evaluation mode."""
        model = new_model(self.config, self.state["vocab_size"], self.state["region_dim"])
        load_weights(model, self.directory)
        model.eval()
        return model


def new_model(config: Config, vocab_size: int, region_dim: int) -> DualEncoder:
    """An encoder with fresh weights. Parameter names do not depend on what was built before,
    so that an optimizer's state fits the same model in another process."""
    with paddle.utils.unique_name.guard():
        return DualEncoder(config.model, vocab_size, region_dim)


def write_checkpoint(directory: Path, model: DualEncoder, config: Config, vocabulary: bytes | None, state: dict, train_state: dict | None = None) -> None:
    """Write one checkpoint directory atomically.

    Args:
        vocabulary: contents of vocab.txt; None leaves it out, and then captions cannot be encoded.
        state: JSON values; the sizes of the model's inputs are added.
        train_state: optimizer and scaler states, for a run that may be resumed.
    """
    state = {**state, "vocab_size": model.vocab_size, "region_dim": model.region_dim, "paddle": paddle.__version__}
    with atomic_path(directory) as temporary:
        temporary.mkdir()
        paddle.save(model.state_dict(), str(temporary / "model.pdparams"))
        if train_state is not None:
            paddle.save(train_state, str(temporary / "train.pdopt"))
        (temporary / "config.yaml").write_text(yaml.safe_dump(to_dict(config), sort_keys=False))
        if vocabulary is not None:
            (temporary / "vocab.txt").write_bytes(vocabulary)
        (temporary / "state.json").write_text(json.dumps(state, indent=1))


def point(run_dir: Path, link: str, checkpoint: Path) -> None:
    """Let RUN/last or RUN/best be ``checkpoint``, and delete checkpoints that no link names."""
    atomic_symlink(checkpoint.name, run_dir / link)
    discard_unlinked(run_dir)


def discard_unlinked(run_dir: Path) -> None:
    """Delete the checkpoints that neither link names, and what a killed run left half-written."""
    kept = {os.readlink(run_dir / name) for name in LINKS if (run_dir / name).is_symlink()}
    for old in run_dir.glob("step-*"):
        if old.name not in kept:
            shutil.rmtree(old, ignore_errors=True)
    for leftover in run_dir.glob(".step-*.tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def is_checkpoint(path: str | Path) -> bool:
    """Whether ``path`` is a checkpoint directory, or a run directory with one."""
    return any((Path(path) / place / "state.json").is_file() for place in ("", *LINKS))


def open_checkpoint(path: str | Path, any_extractor: bool = False) -> Checkpoint:
    """Read a checkpoint directory, or a run directory (its best checkpoint, else its last).

    Args:
        any_extractor: take regions of another extractor than the training's, too.

    Raises InputError if there is none or it is not complete.
    """
    path = Path(path)
    directory = next((path / link for link in ("best", "last") if (path / link).exists()), path)
    if not path.is_dir():
        raise InputError(f"{path}: no such checkpoint directory; tools/train.py and tools/distill.py make them in run.dir")
    for name in ("model.pdparams", "config.yaml", "state.json"):
        if not (directory / name).is_file():
            raise InputError(f"{directory}: not a checkpoint: {name} is missing")
    try:
        state = json.loads((directory / "state.json").read_text())
        values = read_yaml(directory / "config.yaml")
        if not values or not isinstance(state, dict) or not {"vocab_size", "region_dim"} <= state.keys():
            raise ValueError("keys are missing")
    except ValueError as error:
        raise InputError(f"{directory}: state.json or config.yaml is damaged: {error}") from None
    return Checkpoint(directory, config_from_dict(values, str(directory / "config.yaml")), state, any_extractor)


def load_weights(model: DualEncoder, directory: Path) -> None:
    """Fill ``model`` from a checkpoint; every parameter must be there with its shape."""
    path = directory / "model.pdparams"
    weights = _load(path)
    expected = {name: list(parameter.shape) for name, parameter in model.state_dict().items()}
    for name in sorted(expected.keys() | weights.keys()):
        shape = getattr(weights.get(name), "shape", None)
        found = None if shape is None else list(shape)
        if found != expected.get(name):
            raise InputError(f"{path}: weights of another model: {name} has shape {found}, expected {expected.get(name)}")
    model.set_state_dict(weights)


def load_train_state(directory: Path) -> dict:
    """Optimizer and scaler states of a checkpoint made by a training run."""
    path = directory / "train.pdopt"
    if not path.is_file():
        raise InputError(f"{directory}: holds no optimizer state, so training cannot be resumed from it")
    return _load(path)


def _load(path: Path):
    try:
        values = paddle.load(str(path))
        if not isinstance(values, dict):
            raise TypeError
        return values
    except Exception as error:  # pickle raises almost anything on damaged bytes
        raise InputError(f"{path}: damaged or not written by Paddle ({type(error).__name__})") from None
