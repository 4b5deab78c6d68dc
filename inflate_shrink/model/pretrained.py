"""Start from BERT: word embeddings and the lowest Transformer layers of a pretrained one.

A BERT is a directory with ``config.json`` (older ones of paddlenlp: ``model_config.json``) and its weights, in
paddlenlp's layout or in Hugging Face's. No library loads it: the files are read as arrays.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Mapping

import numpy as np
import paddle

from ..errors import InputError, in_one_line
from ..weight_files.paddle_file import arrays_of, read_paddle_file
from ..weight_files.safetensors_file import read_safetensors
from ..weight_files.torch_file import read_torch_file
from .encoder import DualEncoder
from .inputs import MAX_POSITIONS

DOWNLOADED = "bert-base-uncased"
_CONFIGS = ("config.json", "model_config.json")
_WEIGHTS = ("model.safetensors", "model_state.pdparams", "pytorch_model.bin")

_EMBEDDINGS = {  # ours -> theirs
    "word": "word_embeddings",
    "position": "position_embeddings",
    "token_type": "token_type_embeddings",
}
_PADDLENLP = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "attention_output": "self_attn.out_proj",
    "attention_norm": "norm1",
    "intermediate": "linear1",
    "output": "linear2",
    "output_norm": "norm2",
}
_HUGGING_FACE = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}


def load_bert(model: DualEncoder, source: str) -> None:
    """Fill the text embedding and all Transformer layers of ``model`` from the lowest layers of a BERT.

    The region projection and the codes stay as they are.

    Args:
        source: "bert-base-uncased", which paddlenlp downloads, or a directory that paddlenlp's or
            Hugging Face's ``save_pretrained`` wrote.

    Raises InputError if there is no such BERT, if it is damaged, or if it has other sizes than ``model``.
    """
    if Path(source).is_dir():
        config, file = _read_config(Path(source)), _weights_file(Path(source))
    elif source == DOWNLOADED:
        config, file = _download()
    else:
        row = re.fullmatch(r"runs/([^/]+)/([^/]+)", source)
        way = f"give {DOWNLOADED} or one with a BERT's weights"
        way = f"train it first: python tools/train.py -c configs/{row[1]}.yaml:{row[2]}" if row else way
        raise InputError(f"model.init: no such directory: {source}; {way}")
    _check_sizes(model, config, source)
    weights = _read_weights(file)
    for name, value in _ours(model, weights, file).items():
        model.state_dict()[name].set_value(paddle.to_tensor(value.astype("float32")))


def _read_config(directory: Path) -> dict:
    file = next((directory / name for name in _CONFIGS if (directory / name).is_file()), None)
    if file is None:
        way = "give a directory that save_pretrained wrote"
        raise InputError(f"model.init: {directory} has no {_CONFIGS[0]}, so its sizes are not known; {way}")
    try:
        config = json.loads(file.read_bytes())
        return {**config, **(config.get("init_args") or [{}])[0]}  # paddlenlp 2.0 has the sizes there
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise InputError(f"model.init: {file}: damaged ({error})") from None


def _weights_file(directory: Path) -> Path:
    for name in _WEIGHTS:
        if (directory / name).is_file():
            return directory / name
    raise InputError(f"model.init: {directory} has no weights: expected one of {', '.join(_WEIGHTS)}")


def _download() -> tuple[dict, Path]:
    """Return sizes and weights that paddlenlp knows; its file is kept where paddlenlp keeps it."""
    from paddlenlp.transformers.bert.configuration import (
        BERT_PRETRAINED_INIT_CONFIGURATION as configs,  # seconds to import
    )
    from paddlenlp.transformers.bert.configuration import BERT_PRETRAINED_RESOURCE_FILES_MAP as files
    from paddlenlp.utils import download

    try:
        return configs[DOWNLOADED], Path(download.resolve_file_path(DOWNLOADED, [files["model_state"][DOWNLOADED]]))
    except Exception as error:  # no network, a full disk: each raises its own
        raise InputError(
            f"model.init: {DOWNLOADED} could not be loaded ({type(error).__name__}: {in_one_line(error)}); "
            "without network access, give a directory that save_pretrained wrote"
        ) from None


def _read_weights(file: Path) -> dict[str, np.ndarray]:
    """Name -> array, without the prefix ``bert.``."""
    if file.suffix == ".safetensors":
        content = read_safetensors(file)[0]
    elif file.suffix == ".bin":
        content = read_torch_file(file)
        content = content if isinstance(content, dict) else {}
    else:
        content = arrays_of(read_paddle_file(file))
    renamed = {}
    for name, value in content.items():
        if isinstance(name, str) and isinstance(value, np.ndarray):
            # TensorFlow's names, which older files have
            name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
            renamed[name.removeprefix("bert.")] = value
    return renamed


def _check_sizes(model: DualEncoder, bert: dict, source: str) -> None:
    config = model.config
    for name, key, expected in (
        ("model type", "model_type", "bert"),
        ("activation", "hidden_act", "gelu"),
        ("position embedding", "position_embedding_type", "absolute"),
    ):
        if bert.get(key, expected) != expected:
            problem = f"has {name} {bert[key]!r}, expected {expected!r}: it is no BERT, or one of another kind"
            raise InputError(f"model.init: {source} {problem}")
    for name, key, expected in (
        ("hidden size", "hidden_size", config.hidden),
        ("attention heads", "num_attention_heads", config.heads),
        ("ffn size", "intermediate_size", config.ffn),
        ("vocabulary size", "vocab_size", model.vocab_size),
    ):
        if bert.get(key) != expected:
            problem = f"has {name} {bert.get(key)}, the model {expected}; they must be equal"
            raise InputError(f"model.init: {source} {problem}")
    for name, key, expected in (
        ("layers", "num_hidden_layers", config.layers),
        ("positions", "max_position_embeddings", MAX_POSITIONS),
        ("token types", "type_vocab_size", 2),
    ):
        found = bert.get(key)
        if not isinstance(found, int) or found < expected:
            raise InputError(f"model.init: {source} has only {found} {name}, the model {expected}")


def _ours(model: DualEncoder, weights: Mapping[str, np.ndarray], file: Path) -> dict[str, np.ndarray]:
    """Return our names of the parameters that a BERT has -> its arrays, as we have them."""
    torch = any(".attention.self." in name for name in weights)  # its Linear weights are (out, in), Paddle's (in, out)
    names = {f"text_embedding.{ours}": f"embeddings.{theirs}" for ours, theirs in _EMBEDDINGS.items()}
    names["text_embedding.norm"] = "embeddings.LayerNorm" if torch else "embeddings.layer_norm"
    for number in range(model.config.layers):
        for ours, theirs in (_HUGGING_FACE if torch else _PADDLENLP).items():
            names[f"transformer.layers.{number}.{ours}"] = f"encoder.{'layer' if torch else 'layers'}.{number}.{theirs}"
    found = {}
    for name, parameter in model.state_dict().items():
        ours, _, kind = name.rpartition(".")
        if ours not in names:
            continue
        theirs = f"{names[ours]}.{kind}"
        if theirs not in weights:
            problem = f"has no '{theirs}', which '{name}' is read from; it is not the BERT that its config tells of"
            raise InputError(f"model.init: {file} {problem}")
        value = weights[theirs].T if torch and name.startswith("transformer.") else weights[theirs]
        more = ours in ("text_embedding.position", "text_embedding.token_type") and value.ndim
        rows = value[: len(parameter)] if more else value
        if list(rows.shape) != list(parameter.shape):
            problem = f"'{theirs}' has shape {weights[theirs].shape}, '{name}' needs {tuple(parameter.shape)}"
            raise InputError(f"model.init: {file}: {problem}")
        found[name] = rows
    return found
