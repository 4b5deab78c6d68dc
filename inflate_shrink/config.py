"""Typed configuration: dataclasses filled from YAML files with ``_base_`` and ``-o key=value``.

A value is looked up in layers, later ones win: the defaults below, the recipe that
``recipe:`` names (``inflate_shrink/recipes/NAME.yaml``), the ``_base_`` files in order,
the file itself, the overrides of the command line. Every key must exist and have the
declared type; there is no other way in.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import List, Literal, Union

import yaml

from .errors import InputError

RECIPES = Path(__file__).parent / "recipes"


@dataclass
class DataConfig:
    name: str = ""  # of the data set, for reports; coco and flickr30k are those of the paper
    dir: str = "data/demo"
    vocab: str = ""  # WordPiece vocabulary file; empty: vocab.txt in `dir`
    train_split: str = "train"
    val_split: str = "val"
    test_split: str = "test"
    text_length: int = 32  # WordPiece positions, first and last token included
    first_token: str = "[CLS]"  # of every caption; empty: none
    last_token: str = "[SEP]"
    protocols: List[Literal["full", "first1k", "fold5"]] = field(default_factory=lambda: ["full"])  # of the test, the main one first


@dataclass
class ModelConfig:
    """A model is (codes, fragments): I = (32, all), B = (0, 32), F = (0, 1). Its neighbours differ in ``scoring``."""

    codes: int = 0  # inflating codes k on each side (Sec. 4.1)
    fragments: Union[int, Literal["all"]] = "all"  # the first l fragments are scored (Table 6)
    score_padding: Literal["counted", "masked"] = "counted"
    scoring: Literal["late_interaction", "visual_sparta", "scan_t2i", "scan_i2t", "cross"] = "late_interaction"
    pooling: Literal["sum", "logsumexp"] = "logsumexp"  # of SCAN's similarities, over words or regions
    joint: bool = False  # also a cross-BERT: batches alternate between the two objectives
    init: str = "none"  # none | linear | teacher | bert-base-uncased | directory of a BERT or a checkpoint of ours
    hidden: int = 768
    layers: int = 3
    heads: int = 12
    ffn: int = 3072
    dropout: float = 0.1

    def fragments_of(self, inputs: int) -> int:
        """Fragments that are kept of so many words or regions and the codes."""
        given = inputs + self.codes
        return given if self.fragments == "all" else min(self.fragments, given)


@dataclass
class LossConfig:
    ranking: Literal["sum", "hardest", "smooth_max"] = "smooth_max"
    margin: float = 0.6
    power: int = 8  # of the smooth maximum
    include_diagonal: bool = True  # keep the constant diagonal in the smooth maximum
    mask_same_image: bool = False  # other captions of an image are no negatives
    candidates: Union[int, Literal["all"]] = 8  # others of the batch in which the cross-BERT looks for its hard negatives


@dataclass
class DistillConfig:
    teacher: str = ""  # checkpoint directory, or a run directory (its best checkpoint)
    loss: Literal["full", "positive"] = "full"
    teacher_temperature: float = 16.0
    student_temperature: float = 16.0
    temperature_is: Literal["multiplier", "divisor"] = "multiplier"
    student_init: str = ""  # as model.init, for students; empty: model.init itself
    share_inputs: bool = True  # embeddings and region projection are the teacher's, frozen
    teacher_dropout: bool = False
    cache_gb: float = 4.0  # disk for the teacher's fragments; 0 computes them in every step


@dataclass
class OptimConfig:
    lr: float = 1e-4
    weight_decay: float = 0.01
    clip: float = 2.0  # of the global gradient norm; 0: none
    epochs: int = 40
    batch_size: int = 128
    accumulate: int = 1  # batches per update; negatives come from one batch
    warmup_steps: int = 0
    schedule: Literal["constant", "step", "cosine"] = "step"
    decay_epochs: List[int] = field(default_factory=lambda: [20])
    decay_factor: float = 0.1


@dataclass
class AmpConfig:
    level: Literal["O0", "O1", "O2"] = "O0"
    dtype: Literal["float16", "bfloat16"] = "float16"


@dataclass
class RunConfig:
    dir: str = ""  # where checkpoints and logs go
    seed: int = 0
    log_steps: int = 50
    save_steps: int = 500  # a checkpoint every so many updates, and after each epoch
    eval_epochs: int = 1  # validate after every so many epochs, and after the last
    val_images: int = 0  # validate on the first so many images; 0: all
    test_images: int = 0  # the same for the test of a pipeline's step: a cross-BERT scores every pair


@dataclass
class Config:
    name: str = ""
    recipe: Literal["paper", "released"] = "released"
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    amp: AmpConfig = field(default_factory=AmpConfig)
    run: RunConfig = field(default_factory=RunConfig)


_LEAST = {
    "data.text_length": 2,  # [CLS] and [SEP]
    "model.codes": 0,
    "model.hidden": 1,
    "model.layers": 1,
    "model.ffn": 1,
    "loss.margin": 0,
    "loss.power": 1,
    "distill.cache_gb": 0,
    "optim.weight_decay": 0,
    "optim.clip": 0,
    "optim.epochs": 1,
    "optim.batch_size": 2,  # the other pairs of the batch are the negatives
    "optim.accumulate": 1,
    "optim.warmup_steps": 0,
    "optim.decay_factor": 0,
    "run.seed": 0,
    "run.log_steps": 1,
    "run.save_steps": 1,
    "run.eval_epochs": 1,
    "run.val_images": 0,
    "run.test_images": 0,
}
_ABOVE_ZERO = ("distill.teacher_temperature", "distill.student_temperature", "optim.lr")


def load_config(path: str | Path, overrides: typing.Sequence[str] = (), base: str | Path | None = None) -> Config:
    """The config in ``path``, with ``overrides`` such as ``optim.lr=1e-3``.

    ``base`` is read in place of each ``_base_`` that is called base.yaml: the same model on other data.

    Raises InputError for a missing file, broken YAML, an unknown key, a wrong type or
    a value out of range, naming file and key.
    """
    layers = _file_layers(Path(path), (), base and Path(base))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise InputError(f"-o {override}: expected section.key=value")
        layers.append(("-o", {key.strip(): _parse_yaml(text, f"-o {override}")}))
    return _build(layers)


def config_from_dict(values: dict, source: str) -> Config:
    """The config that :func:`to_dict` turned into ``values``; ``source`` is for messages."""
    return _build([(source, flatten(values))])


def to_dict(config: Config) -> dict:
    return dataclasses.asdict(config)


def student_config(config: Config) -> Config:
    """A student's config with ``distill.student_init`` in its place."""
    if not config.distill.student_init:
        return config
    model, distill = replace(config.model, init=config.distill.student_init), replace(config.distill, student_init="")
    return replace(config, model=model, distill=distill)


def differences(old: Config, new: Config, ignore: typing.Sequence[str] = ()) -> list[str]:
    """Keys whose values differ, as ``key: old -> new``; ``ignore`` holds keys or section names."""
    old_values, new_values = flatten(to_dict(old)), flatten(to_dict(new))
    return [
        f"{key}: {old_values[key]} -> {new_values[key]}"
        for key in new_values
        if old_values[key] != new_values[key] and key not in ignore and key.split(".")[0] not in ignore
    ]


def _file_layers(path: Path, parents: tuple[Path, ...] = (), other_base: Path | None = None) -> list[tuple[str, dict]]:
    """Layers of one YAML file, its bases first."""
    path = path.resolve() if parents else path
    if path.resolve() in parents:
        raise InputError(f"{path}: _base_ leads back to this file; break the circle")
    try:
        values = _parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        asked_by = f", the _base_ of {parents[-1]}" if parents else ""
        raise InputError(f"{path}: no such config file{asked_by}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a YAML file: {error}") from None
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping of sections to keys, found {type(values).__name__}")
    bases = values.pop("_base_", [])
    bases = [bases] if isinstance(bases, str) else bases
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise InputError(f"{path}: _base_ must be a file name or a list of them")
    layers = []
    for base in bases:
        file = other_base if other_base and Path(base).name == "base.yaml" else path.parent / base
        layers += _file_layers(file, parents + (path.resolve(),), other_base)
    return layers + [(str(path), flatten(values))]


def _build(layers: list[tuple[str, dict]]) -> Config:
    types = _key_types(Config)
    merged, sources = {}, {}
    for source, values in _with_recipe(layers, types):
        for key, value in values.items():
            merged[key] = _convert(key, value, types, source)
            sources[key] = source
    config = Config()
    for key, value in merged.items():
        section, _, name = key.rpartition(".")
        setattr(getattr(config, section) if section else config, name, value)
    _check_ranges(config, sources)
    return config


def _with_recipe(layers, types):
    """Put the layer of the recipe that the layers name below all of them."""
    name, source = Config().recipe, "default"
    for layer_source, values in layers:
        if "recipe" in values:
            name, source = values["recipe"], layer_source
    _convert("recipe", name, types, source)
    return _file_layers(RECIPES / f"{name}.yaml") + layers


def _parse_yaml(text: str, source: str):
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise InputError(f"{source}: not valid YAML{where}: {getattr(error, 'problem', error)}") from None


def flatten(values: dict, prefix: str = "") -> dict:
    """Nested values as ``section.key`` -> value."""
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _key_types(cls, prefix: str = "") -> dict:
    """Dotted key -> declared type, for every leaf of the dataclass ``cls``."""
    types = {}
    for name, kind in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(kind):
            types.update(_key_types(kind, f"{prefix}{name}."))
        else:
            types[f"{prefix}{name}"] = kind
    return types


def _convert(key: str, value, types: dict, source: str):
    if key not in types:
        nearest = max(types, key=lambda known: difflib.SequenceMatcher(None, key, known).ratio())
        raise InputError(f"{source}: unknown key '{key}'; the nearest valid key is '{nearest}'")
    try:
        return _as_type(value, types[key])
    except (TypeError, ValueError):
        raise InputError(f"{source}: '{key}' must be {_describe(types[key])}, found {value!r}") from None


def _as_type(value, kind):
    origin = typing.get_origin(kind)
    if origin is Literal:
        if value in typing.get_args(kind):
            return value
    elif origin is Union:
        for option in typing.get_args(kind):
            try:
                return _as_type(value, option)
            except (TypeError, ValueError):
                pass
    elif origin is list:
        if isinstance(value, list):
            return [_as_type(item, typing.get_args(kind)[0]) for item in value]
    elif kind is float:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            number = float(value)  # YAML reads 1e-4, without a point, as a string
            if math.isfinite(number):
                return number
    elif kind is str:
        if value is None or isinstance(value, str):
            return value or ""
    elif isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise TypeError


def _describe(kind) -> str:
    origin = typing.get_origin(kind)
    if origin is Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    if origin is Union:
        return " or ".join(_describe(option) for option in typing.get_args(kind))
    if origin is list:
        return f"a list of {_describe(typing.get_args(kind)[0])}"
    return {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}[kind]


def _check_ranges(config: Config, sources: dict) -> None:
    values = flatten(to_dict(config))
    rules = [(key, values[key] >= least, f"{least} or more") for key, least in _LEAST.items()]
    rules += [(key, values[key] > 0, "above 0") for key in _ABOVE_ZERO]
    model = config.model
    rules += [
        ("model.fragments", model.fragments == "all" or model.fragments >= 1, "all, or 1 or more"),
        ("model.joint", not model.joint or model.scoring != "cross", "false with model.scoring cross, which is a cross-BERT already"),
        ("model.scoring", model.scoring != "visual_sparta" or bool(config.data.first_token and config.data.last_token), "another, or data.first_token and data.last_token set"),
        ("loss.candidates", config.loss.candidates == "all" or config.loss.candidates >= 1, "all, or 1 or more"),
        ("data.protocols", bool(config.data.protocols), "a list of one protocol or more"),
        ("model.heads", model.heads >= 1 and model.hidden % model.heads == 0, f"a divisor of model.hidden ({model.hidden})"),
        ("model.dropout", 0 <= model.dropout < 1, "in [0, 1)"),
        ("data.text_length", config.data.text_length <= 512, "at most 512, BERT's positions"),
    ]
    for key, holds, expected in rules:
        if not holds:
            raise InputError(f"{sources.get(key, 'default')}: '{key}' must be {expected}, found {values[key]!r}")
