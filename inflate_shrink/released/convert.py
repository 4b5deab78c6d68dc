"""The authors' released checkpoints as ours.

A released file is ``{"model": [weights], ...}``. It holds one or several BERTs of 12
layers, of which the first 3 run, and everything that is shared beside them:

    mode           what it holds
    base, fast     `encoder`
    inflate        `encoder` and the codes
    shrinktobase   teacher I: `encoder` and the codes; student B: `encoder2`
    shrinktofast   teacher B: `encoder2`; student F: `encoder3`; a rest of I

In all of them the word embeddings are those of `encoder`, and the region projection
`fc` and its LayerNorm `norm` are shared.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..config import Config, config_from_dict
from ..engine.checkpoint import new_model
from ..errors import InputError
from ..model.encoder import DualEncoder
from ..model.parameter_shapes import parameter_shapes
from ..weight_files.torch_file import read_torch_file

HEAD_SIZE = 64  # every released BERT has it; it cannot be read from the shapes


class _Released(NamedTuple):
    name: str  # what the paper's Table 2 calls the model
    stack: str  # the BERT whose Transformer layers run
    codes: bool
    fragments: str | int


_MODELS = {
    ("base", "student"): _Released("B", "encoder", False, "all"),
    ("fast", "student"): _Released("F", "encoder", False, 1),
    ("inflate", "student"): _Released("I", "encoder", True, "all"),
    ("shrinktobase", "teacher"): _Released("I", "encoder", True, "all"),
    ("shrinktobase", "student"): _Released("I-B", "encoder2", False, "all"),
    ("shrinktofast", "teacher"): _Released("I-B", "encoder2", False, "all"),
    ("shrinktofast", "student"): _Released("I-B-F", "encoder3", False, 1),
}
_INPUTS = {
    "encoder.embeddings.word_embeddings.weight": "text_embedding.word.weight",
    "encoder.embeddings.position_embeddings.weight": "text_embedding.position.weight",
    "encoder.embeddings.token_type_embeddings.weight": "text_embedding.token_type.weight",
    "encoder.embeddings.LayerNorm.weight": "text_embedding.norm.weight",
    "encoder.embeddings.LayerNorm.bias": "text_embedding.norm.bias",
    "fc.weight": "region_embedding.projection.weight",
    "fc.bias": "region_embedding.projection.bias",
    "norm.weight": "region_embedding.norm.weight",
    "norm.bias": "region_embedding.norm.bias",
}
_CODES = {
    "poly_code_embeddings_t.weight": "codes.text",
    "poly_code_embeddings_v.weight": "codes.image",
}
_LAYER = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attention_output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "intermediate",
    "output.dense": "output",
    "output.LayerNorm": "output_norm",
}
_UNUSED = {  # what else a file may hold, and why it is left behind; the first that matches
    r"fc[23]\.": "a head that no score needs",
    r"encoder\d?\.pooler\.": "the pooler, which no score needs",
    r"encoder\d\.embeddings\.": "all models of the file share the embeddings of `encoder`",
    r"poly_code_embeddings": "the inflated model's codes",
    r"encoder\d?\.encoder\.layer\.": "a Transformer layer of another model",
    r"": "not known",
}


class Conversion(NamedTuple):
    """A released model as one of ours."""

    config: Config
    model: DualEncoder
    report: list[str]  # a line for each released parameter


def convert(
    path: str | Path,
    mode: str,
    part: str = "student",
    layers: int = 3,
    first_token: str = "[UNK]",
    last_token: str = "",
) -> Conversion:
    """Convert one model of a released file.

    Args:
        path: the ``.pth.tar`` file.
        mode: what the file was trained as: base, fast, inflate, shrinktobase or shrinktofast.
        part: "student", or "teacher" in the last two; the only model of the others is a "student".
        layers: Transformer layers that run, from the bottom.
        first_token, last_token: around the words of every caption it was trained on, "" for none. The default is
            what a released caption file has.

    Returns:
        The model in evaluation mode, its configuration (sizes read from the shapes, the
        recipe, margins and data of the released code) and the report.

    Raises InputError for a file that is not in this layout or lacks a parameter.
    """
    released = _released(mode, part)
    names = parameter_names(mode, part, layers)
    weights = _read(path)
    for name, ours in names.items():
        if name not in weights:
            problem = f"has no '{name}', which '{ours}' is read from"
            raise InputError(f"{path}: {problem}; check mode ({mode}) and layers ({layers})")
        if not weights[name].size:
            raise InputError(f"{path}: '{name}' has shape {weights[name].shape}, which holds no numbers")
    hidden = weights["fc.bias"].size
    config = config_from_dict(
        {
            "name": released.name,
            "recipe": "released",
            "data": {
                "name": "coco",
                "dir": "data/coco_released",
                "protocols": ["first1k"],
                "first_token": first_token,
                "last_token": last_token,
            },
            "model": {
                "codes": weights["poly_code_embeddings_t.weight"].size // hidden if released.codes else 0,
                "fragments": released.fragments,
                "hidden": hidden,
                "layers": layers,
                "heads": hidden // HEAD_SIZE,
                "ffn": weights[f"{released.stack}.encoder.layer.0.intermediate.dense.bias"].size,
            },
            "loss": {"margin": 0.2 if released.fragments == 1 else 0.6},
        },
        str(path),
    )
    vocab_size = weights["encoder.embeddings.word_embeddings.weight"].size // hidden
    region_dim = weights["fc.weight"].size // hidden
    values = {ours: _as_ours(weights[name], ours) for name, ours in names.items()}
    shapes = parameter_shapes(config.model, vocab_size, region_dim)
    for name, ours in names.items():  # checked before the model takes memory
        if list(values[ours].shape) != shapes[ours]:
            raise InputError(f"{path}: '{name}' has shape {weights[name].shape}, '{ours}' needs {tuple(shapes[ours])}")
    model = new_model(config, vocab_size, region_dim)
    for ours, parameter in model.state_dict().items():
        parameter.set_value(values[ours].astype("float32"))
    model.eval()
    return Conversion(config, model, _report(model, weights, names, released.stack))


def parameter_names(mode: str, part: str, layers: int) -> dict[str, str]:
    """Return released name -> our name of every parameter of a model. Raises InputError if there is no such model."""
    released = _released(mode, part)
    names = {**_INPUTS, **(_CODES if released.codes else {})}
    for layer in range(layers):
        for theirs, ours in _LAYER.items():
            for kind in ("weight", "bias"):
                name = f"{released.stack}.encoder.layer.{layer}.{theirs}.{kind}"
                names[name] = f"transformer.layers.{layer}.{ours}.{kind}"
    return names


def _released(mode: str, part: str) -> _Released:
    if (mode, part) in _MODELS:
        return _MODELS[mode, part]
    choices = ", ".join(f"{mode} {part}" for mode, part in _MODELS)
    raise InputError(f"no released model '{mode} {part}': mode and part are one of {choices}")


def _read(path: str | Path) -> dict[str, np.ndarray]:
    """Return the parameters in a released file, by name, without the prefix ``module.``."""
    content = read_torch_file(path)
    try:
        weights = content["model"][0].items()
        return {name.removeprefix("module."): value for name, value in weights if isinstance(value, np.ndarray)}
    except (TypeError, KeyError, IndexError, AttributeError):
        expected = "a dict with a list of weights in 'model'"
        raise InputError(f"{path}: not a released checkpoint: expected {expected}") from None


def _as_ours(value: np.ndarray, ours: str) -> np.ndarray:
    """Transpose where PyTorch keeps a Linear's weight as (out, in) and Paddle as (in, out)."""
    return value.T if ours.startswith(("transformer.", "region_embedding.")) else value


def _report(model: DualEncoder, weights, names, stack: str) -> list[str]:
    state = model.state_dict()
    lines = []
    for name, value in weights.items():
        if name in names:
            use = f"-> {names[name]} {tuple(state[names[name]].shape)}"
        elif name.startswith(f"{stack}.encoder.layer."):
            use = "unused: a layer above those that run"
        else:
            use = "unused: " + next(reason for pattern, reason in _UNUSED.items() if re.match(pattern, name))
        lines.append(f"{name} {value.shape} {use}")
    return lines
