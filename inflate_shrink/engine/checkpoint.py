"""Checkpoints: directories that appear whole, with everything that is needed to go on.

    RUN/step-000500/model.safetensors  the weights
                    train.safetensors  optimizer and loss scaler (absent in converted checkpoints)
                    config.yaml        the resolved configuration
                    vocab.txt          the WordPiece vocabulary
                    state.json         updates done (step), sizes of the inputs, best result, history
                    files.json         size and checksum of each of them
    RUN/last, RUN/previous, RUN/best   symbolic links to three of them
    RUN/lock                           held by the process that trains here

A new checkpoint gets a new name and the links are replaced by rename, so a run that is
killed at any moment, or a full disk, leaves the previous ones as they were. What is read is compared with
``files.json``; whoever edits a checkpoint removes that list. Nothing in a checkpoint can run.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle
import yaml

from ..atomic import atomic_path, atomic_symlink
from ..config import Config, config_from_dict, flatten, read_yaml, to_dict
from ..data.extractors import same_extractor
from ..data.store import Store, open_store
from ..data.text import CaptionTokenizer
from ..digest import hex_digest
from ..errors import InputError
from ..model.encoder import DualEncoder
from ..model.parameter_shapes import check_shapes
from . import checkpoint_files as files

LINKS = ("last", "previous", "best")  # newest first, but for best


class Checkpoint(NamedTuple):
    """A directory of weights, config, vocabulary and state, opened; the weights are read when they are asked for."""

    directory: Path
    config: Config
    state: dict
    any_extractor: bool = False  # take regions of another extractor than the training's, too

    @property
    def vocab_file(self) -> Path:
        """Return where its vocabulary is, or would be."""
        return self.directory / "vocab.txt"

    def tokenizer(self) -> CaptionTokenizer:
        """Return the tokenizer of its captions; raises InputError if it holds no vocabulary."""
        if not self.vocab_file.exists():
            raise InputError(
                f"{self.directory}: holds no vocab.txt, so it cannot read captions: put its vocabulary there"
            )
        data = self.config.data
        return CaptionTokenizer(self.vocab_file, data.text_length, data.first_token, data.last_token)

    def open_data(self, directory: str | Path) -> Store:
        """Open the data set in ``directory``; raises InputError if its regions are not as the training's were."""
        store = open_store(directory)
        found, expected = store.regions.shape[-1], self.state["region_dim"]
        if found != expected:
            raise InputError(
                f"{directory}: regions have {found} dimensions, {self.directory} was trained on {expected}"
            )
        self.require_same_extractor(store)
        return store

    def require_same_extractor(self, store: Store) -> None:
        """Raise InputError if both say what extracted their regions, and it differs; older checkpoints do not."""
        made_by, found = self.state.get("regions"), store.regions_made_by["extractor"]
        expected = str(made_by.get("extractor") or "") if isinstance(made_by, dict) else ""
        if not (self.any_extractor or same_extractor(found, expected)):
            raise InputError(
                f"{store.directory}: its regions are of the extractor {found!r}, {self.directory} was trained on"
                f" those of {expected!r};"
                " extract them with that one, or insist with --any-extractor (of a training: data.any_extractor=true)"
            )

    def origin(self) -> dict:
        """Return what an index or an exported encoder says of the model it is made of.

        ``fingerprint`` changes with the weights.
        """
        model = self.config.model
        shape = {"codes": model.codes, "fragments": model.fragments, "score_padding": model.score_padding}
        made_of = {"checkpoint": str(self.directory), "fingerprint": self.fingerprint()[:16]}
        return {"name": self.config.name, **made_of, **shape}

    @property
    def weights_file(self) -> Path:
        """Return the file of its weights."""
        return files.find(self.directory, files.WEIGHTS)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file of weights, 64 hexadecimal digits: other weights have another."""
        return hex_digest([self.weights_file], 64)

    def read_weights(self) -> dict[str, np.ndarray]:
        """Return name -> array of every parameter; raises InputError if the file is damaged or another model's."""
        weights = files.read_weights(self.directory)
        shapes = {name: array.shape for name, array in weights.items()}
        check_shapes(self.weights_file, shapes, self.config.model, self.state["vocab_size"], self.state["region_dim"])
        return weights

    def load_model(self) -> DualEncoder:
        """Return the model with its weights, in evaluation mode."""
        with _offering_others(self.directory):
            weights = self.read_weights()  # first: sizes that are wrong must take no memory
        model = new_model(self.config, self.state["vocab_size"], self.state["region_dim"])
        set_weights(model, weights)
        model.eval()
        return model


def new_model(config: Config, vocab_size: int, region_dim: int) -> DualEncoder:
    """Return an encoder with fresh weights. Parameter names do not depend on what was built before,
    so that an optimizer's state fits the same model in another process."""
    with paddle.utils.unique_name.guard():
        return DualEncoder(config.model, vocab_size, region_dim)


def write_checkpoint(
    directory: Path,
    model: DualEncoder,
    config: Config,
    vocabulary: bytes | None,
    state: dict,
    train_state: dict | None = None,
) -> None:
    """Write one checkpoint directory atomically.

    Args:
        vocabulary: contents of vocab.txt; None leaves it out, and then captions cannot be encoded.
        state: JSON values; the sizes of the model's inputs are added.
        train_state: optimizer and scaler states, for a run that may be resumed.
    """
    state = {**state, "vocab_size": model.vocab_size, "region_dim": model.region_dim, "paddle": paddle.__version__}
    with atomic_path(directory) as temporary:
        temporary.mkdir()
        files.write_weights(temporary, model.state_dict())
        if train_state is not None:
            files.write_training(temporary, train_state)
        (temporary / "config.yaml").write_text(yaml.safe_dump(to_dict(config), sort_keys=False))
        if vocabulary is not None:
            (temporary / "vocab.txt").write_bytes(vocabulary)
        (temporary / "state.json").write_text(json.dumps(state, indent=1))
        files.write_list(temporary)


def point(run_dir: Path, link: str, checkpoint: Path) -> None:
    """Let RUN/last or RUN/best be ``checkpoint``, and delete those without a link. What was last is RUN/previous."""
    replaced = os.readlink(run_dir / link) if (run_dir / link).is_symlink() else checkpoint.name
    if link == "last" and replaced != checkpoint.name:
        atomic_symlink(replaced, run_dir / "previous")
    atomic_symlink(checkpoint.name, run_dir / link)
    discard_unlinked(run_dir)


def discard_unlinked(run_dir: Path) -> None:
    """Delete the checkpoints that no link names, and what a killed run left half-written."""
    kept = {os.readlink(run_dir / name) for name in LINKS if (run_dir / name).is_symlink()}
    for old in run_dir.glob("step-*"):
        if old.name not in kept:
            shutil.rmtree(old, ignore_errors=True)
    for leftover in run_dir.glob(".step-*.tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def is_checkpoint(path: str | Path) -> bool:
    """Return whether ``path`` is a checkpoint directory, or a run directory with one."""
    return any((Path(path) / place / "state.json").is_file() for place in ("", *LINKS))


def open_checkpoint(path: str | Path, any_extractor: bool = False) -> Checkpoint:
    """Read a checkpoint directory, or a run directory (its best checkpoint, else its last).

    Args:
        any_extractor: take regions of another extractor than the training's, too.

    Raises InputError if there is none, it is not complete, or a file but those of arrays is not as it was written.

    >>> checkpoint = open_checkpoint(RUN)
    >>> checkpoint.config.model.fragments, checkpoint.state["step"]
    (4, 15)
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such checkpoint directory; tools/train.py makes them in run.dir")
    directory = next((path / link for link in ("best", "last") if (path / link).exists()), path)
    with _offering_others(directory):
        return _open(directory)._replace(any_extractor=any_extractor)


def _open(directory: Path) -> Checkpoint:
    for names in (files.WEIGHTS, ("config.yaml",), ("state.json",)):
        if not files.find(directory, names):
            raise InputError(f"{directory}: not a checkpoint: {names[0]} is missing")
    files.check_files(directory)
    try:
        state = json.loads((directory / "state.json").read_bytes())
        values = read_yaml(directory / "config.yaml")
        if not values or not isinstance(state, dict):
            raise ValueError("keys are missing")
        for key in ("vocab_size", "region_dim"):
            if type(state.get(key)) is not int or state[key] < 1:
                raise ValueError(f"{key} is {state.get(key)!r}, expected a number of 1 or more")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{directory}: state.json or config.yaml is damaged: {error}") from None
    values = {**flatten(to_dict(Config())), **flatten(values)}  # without keys that are younger than the checkpoint
    return Checkpoint(directory, config_from_dict(values, str(directory / "config.yaml")), state)


class Resumable(NamedTuple):
    """Everything that a run goes on from."""

    checkpoint: Checkpoint
    weights: dict[str, np.ndarray]
    training: dict  # states of optimizer and scaler
    damaged: dict[str, InputError]  # links to newer checkpoints, and what is wrong with them


def open_newest(run_dir: Path) -> Resumable:
    """Open the newest checkpoint of a run that is as it was written: RUN/last, RUN/previous or RUN/best.

    Raises InputError if there is none; it names what is wrong with RUN/last.
    """
    damaged = {}
    for link in LINKS:
        if link != "last" and not (run_dir / link).exists():
            continue
        try:
            checkpoint = _open(run_dir / link)
            return Resumable(checkpoint, checkpoint.read_weights(), files.read_training(run_dir / link), damaged)
        except InputError as error:
            damaged[link] = error
    raise damaged["last"]


def drop_damaged(run_dir: Path, found: Resumable) -> None:
    """Let RUN/last be the checkpoint that was found, and delete those that are damaged."""
    whole, damaged = found.checkpoint.directory.resolve(), {(run_dir / link).resolve() for link in found.damaged}
    for link in LINKS:
        if (run_dir / link).resolve() in damaged:
            (run_dir / link).unlink()
    point(run_dir, "last", whole)


@contextmanager
def _offering_others(directory: Path):
    """Name another checkpoint of the run, if one is whole, in an InputError of the block."""
    try:
        yield
    except InputError as error:
        for link in LINKS:
            other = directory.parent / link
            if other.exists() and other.resolve() != directory.resolve() and _is_whole(other):
                raise InputError(f"{error}; {other} is whole") from None
        raise


def _is_whole(directory: Path) -> bool:
    try:
        _open(directory).read_weights()
    except InputError:
        return False
    return True


def set_weights(model: DualEncoder, weights: dict[str, np.ndarray]) -> None:
    """Fill every parameter of ``model``, in the type that it has."""
    for name, parameter in model.state_dict().items():
        parameter.set_value(paddle.to_tensor(weights[name]).astype(parameter.dtype))
