"""Configs from layers: YAML files with ``_base_``, rows by name, ``-o key=value``.

A value is looked up in layers, later ones win: the defaults of the schema, the recipe that
``recipe:`` names (``inflate_shrink/recipes/NAME.yaml``), the ``_base_`` files in order,
the file itself, the overrides of the command line. Every key must exist and have the
declared type; there is no other way in.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import typing
from dataclasses import replace
from pathlib import Path
from typing import Literal, Union

from ..errors import InputError, nearest
from .rows import row_file, row_layer, split_reference
from .schema import KEYS, Config, DistillConfig, ModelConfig, out_of_range
from .yaml_files import LONGEST_NAME, is_name, parse_yaml, read_yaml

RECIPES = Path(__file__).parents[1] / "recipes"
_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 80


def load_config(path: str | Path, overrides: typing.Sequence[str] = ()) -> Config:
    """Return the config of a file, or of a row of a data set (``configs/coco.yaml:I-B``).

    ``overrides`` are such as ``optim.lr=1e-3``.

    Raises InputError for a missing file, broken YAML, an unknown key or row, a wrong type or
    a value out of range, naming file and key.
    """
    data, name = split_reference(path)
    layers = _reference_layers(data, name, ())
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise InputError(f"-o {override[:200]}: expected section.key=value")
        layers.append(("-o", {key.strip(): parse_yaml(text, f"-o {override}")}))
    return _build(layers)


def config_from_dict(values: dict, source: str) -> Config:
    """Return the config that :func:`to_dict` turned into ``values``; ``source`` is for messages."""
    return _build([(source, flatten(values))])


def to_dict(config: Config) -> dict:
    """Return a config as it is written to YAML: section -> key -> value."""
    return dataclasses.asdict(config)


def student_config(config: Config) -> Config:
    """Return a student's config with ``distill.student_init`` in its place."""
    if not config.distill.student_init:
        return config
    model, distill = replace(config.model, init=config.distill.student_init), replace(config.distill, student_init="")
    return replace(config, model=model, distill=distill)


def in_effect(config: Config) -> Config:
    """Return a config with the defaults in keys of distillation that decide nothing of its weights: without a teacher
    in all, without codes in ``distill.share_codes``."""
    if not config.distill.teacher:
        return replace(config, distill=DistillConfig())
    return config if config.model.codes else replace(config, distill=replace(config.distill, share_codes=False))


def differences(old: Config, new: Config, ignore: typing.Sequence[str] = ()) -> list[str]:
    """Return the keys whose values differ, as ``key: old -> new``; ``ignore`` holds keys or section names."""
    old_values, new_values = flatten(to_dict(old)), flatten(to_dict(new))
    return [
        f"{key}: {old_values[key]} -> {new_values[key]}"
        for key in new_values
        if old_values[key] != new_values[key] and key not in ignore and key.split(".")[0] not in ignore
    ]


def flatten(values: dict) -> dict:
    """Return sections of keys as ``section.key`` -> value."""
    flat = {}
    for section, value in values.items():
        if isinstance(value, dict):
            flat.update({f"{section}.{key}": each for key, each in value.items()})
        else:
            flat[str(section)] = value
    return flat


_Layers = typing.List[typing.Tuple[str, dict]]  # where from, and section.key -> value


def _reference_layers(path: Path, name: str, parents: tuple[Path, ...]) -> _Layers:
    """Return the layers of a file, or of the row ``name`` of a data set: of the row's own file, if it has one."""
    own = row_file(path, name) if name else path
    if own.is_file() and own.resolve() not in parents or not name:
        return _file_layers(own, parents)
    layers = _file_layers(path, parents)
    said = {key for _, values in layers for key in values}
    return layers + [(f"{path}:{name}", row_layer(path, name, said))]


def _file_layers(path: Path, parents: tuple[Path, ...]) -> _Layers:
    """Return the layers of one YAML file, its bases first."""
    if path.resolve() in parents:
        raise InputError(f"{path}: _base_ leads back to this file; break the circle")
    values = read_yaml(path, f", the _base_ of {parents[-1]}" if parents else "")
    bases = values.pop("_base_", [])
    bases = [bases] if isinstance(bases, str) else bases
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise InputError(f"{path}: _base_ must be a file name, a row such as coco.yaml:B, or a list of them")
    layers = []
    for base in bases:
        file, name = split_reference(path.parent / base)
        layers += _reference_layers(file, name, (*parents, path.resolve()))
    return layers + [(str(path), flatten(values))]


def _build(layers: _Layers) -> Config:
    merged, sources = {}, {}
    for source, values in _with_recipe(layers):
        for key, value in values.items():
            merged[key] = _convert(key, value, source)
            sources[key] = source
    config = Config()
    for key, value in merged.items():
        section, _, name = key.rpartition(".")
        setattr(getattr(config, section) if section else config, name, value)
    _check_ranges(config, sources)
    return config


def _with_recipe(layers: _Layers) -> _Layers:
    """Put the layer of the recipe that the layers name below all of them."""
    name, source = Config().recipe, "default"
    for layer_source, values in layers:
        if "recipe" in values:
            name, source = values["recipe"], layer_source
    _convert("recipe", name, source)
    return _file_layers(RECIPES / f"{name}.yaml", ()) + layers


def _convert(key: str, value, source: str):
    if key not in KEYS:
        raise InputError(f"{source}: unknown key '{key[:100]}'; the nearest valid key is '{_nearest_key(key[:100])}'")
    try:
        return _as_type(value, KEYS[key].type)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{source}: '{key}' must be {_describe(KEYS[key].type)}, found {_short.repr(value)}") from None


def _nearest_key(key: str) -> str:
    """Return the key of that alias, or of that name in another section, else the one spelled most alike."""
    name = key.rpartition(".")[2].lower().replace("-", "_")
    meant = [known for known, each in KEYS.items() if name in (*each.aliases, known.rpartition(".")[2])]
    return nearest(key, meant or KEYS)


def _as_type(value, kind):
    origin = typing.get_origin(kind)
    if origin is Literal:
        if isinstance(value, str) and value in typing.get_args(kind):
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
        if value is None or isinstance(value, str) and is_name(value):
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
    return {
        int: "a whole number", float: "a finite number", bool: "true or false",
        str: f"text in one line, at most {LONGEST_NAME} bytes between slashes",
    }[kind]  # fmt: skip


def _check_ranges(config: Config, sources: dict) -> None:
    values = flatten(to_dict(config))

    def check(key: str, expected: str) -> None:
        if expected:
            found = _short.repr(values[key])
            raise InputError(f"{sources.get(key, 'default')}: '{key}' must be {expected}, found {found}")

    for key, each in KEYS.items():
        check(key, out_of_range(each, values[key]))
    model, data = config.model, config.data
    specials = [token for token in (data.first_token, data.last_token) if token]
    least = f"{len(specials) + 1} or more: {' and '.join(specials)}, and a word"
    pairs = model.joint or model.scoring == "cross"
    sparta = model.scoring == "visual_sparta"
    for key, holds, expected in (
        ("model.joint", not model.joint or model.scoring != "cross", "false with scoring cross, a cross-BERT already"),
        ("model.scoring", not sparta or len(specials) == 2, "another, or data.first_token and data.last_token set"),
        ("data.protocols", data.protocols, "a list of one protocol or more"),
        (
            "optim.chunk",
            not config.optim.chunk or not pairs,
            "0 for a cross-BERT or a joint model, whose pairs are no chunks",
        ),
        ("data.text_length", data.text_length > len(specials), least),
        (
            "distill.vectors",
            not config.distill.vectors or _is_plain_f(model),
            "0 but in models of one fragment, no codes, cosine",
        ),
        (
            "model.vector",
            model.vector == "slot" or _is_plain_f(model),
            "slot but in models of one fragment, no codes, cosine",
        ),
        (
            "model.text_weights",
            model.text_weights == "equal" or (model.score_padding == "masked" and model.scoring == "late_interaction"),
            "equal but with late interaction and model.score_padding masked",
        ),
        ("model.heads", model.hidden % model.heads == 0, f"a divisor of model.hidden ({model.hidden})"),
    ):
        check(key, "" if holds else expected)


def _is_plain_f(model: ModelConfig) -> bool:
    return model.fragments == 1 and not model.codes and model.scoring == "late_interaction"
