"""The files of a BERT: a directory with ``config.json``, weights and, as a rule, ``vocab.txt``.

Older ones of paddlenlp have ``model_config.json``. The weights are in paddlenlp's layout or in Hugging Face's; no
library loads them: the files are read as arrays, and nothing in them runs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

import numpy as np

from ..data.vocabulary import read_vocabulary
from ..errors import InputError, in_one_line
from ..weight_files.paddle_file import arrays_of, read_paddle_file
from ..weight_files.safetensors_file import read_safetensors
from ..weight_files.torch_file import read_torch_file

DOWNLOADED = "bert-base-uncased"
VOCABULARY = "vocab.txt"
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


class Bert(NamedTuple):
    """A BERT as it lies on disk; ``pieces``: its vocabulary, empty where it has none beside it."""

    key: str  # of the config, that names it
    source: str  # as the user named it
    config: dict
    file: Path
    pieces: Sequence[str]


def find_bert(source: str, key: str) -> Bert:
    """Find the files of "bert-base-uncased" or of a directory; raise InputError if there is no such BERT."""
    directory = Path(source)
    if directory.is_dir():
        pieces = read_vocabulary(directory / VOCABULARY) if (directory / VOCABULARY).exists() else []
        return Bert(key, source, _read_config(key, directory), _weights_file(key, directory), pieces)
    if source == DOWNLOADED:
        return Bert(key, source, *_download(key), [])
    row = re.fullmatch(r"runs/([^/]+)/([^/]+)", source)
    way = f"give {DOWNLOADED} or one with a BERT's weights"
    way = f"train it first: python tools/train.py -c configs/{row[1]}.yaml:{row[2]}" if row else way
    raise InputError(f"{key}: no such directory: {source}; {way}")


def _read_config(key: str, directory: Path) -> dict:
    file = next((directory / name for name in _CONFIGS if (directory / name).is_file()), None)
    if file is None:
        way = "give a directory that save_pretrained wrote"
        raise InputError(f"{key}: {directory} has no {_CONFIGS[0]}, so its sizes are not known; {way}")
    try:
        config = json.loads(file.read_bytes())
        return {**config, **(config.get("init_args") or [{}])[0]}  # paddlenlp 2.0 has the sizes there
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise InputError(f"{key}: {file}: damaged ({error})") from None


def _weights_file(key: str, directory: Path) -> Path:
    for name in _WEIGHTS:
        if (directory / name).is_file():
            return directory / name
    raise InputError(f"{key}: {directory} has no weights: expected one of {', '.join(_WEIGHTS)}")


def _download(key: str) -> tuple[dict, Path]:
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
            f"{key}: {DOWNLOADED} could not be loaded ({type(error).__name__}: {in_one_line(error)}); "
            "without network access, give a directory that save_pretrained wrote"
        ) from None


def read_weights(bert: Bert) -> dict[str, np.ndarray]:
    """Return the arrays of a weight file by name, without the prefix ``bert.``; raise InputError if it is damaged."""
    file = bert.file
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


def their_names(weights: Mapping[str, np.ndarray], layers: int) -> tuple[dict[str, str], bool]:
    """Return our names of a BERT's parts -> its names, and whether it has the weights of its layers transposed."""
    torch = any(".attention.self." in name for name in weights)  # its Linear weights are (out, in), Paddle's (in, out)
    names = {f"text_embedding.{ours}": f"embeddings.{theirs}" for ours, theirs in _EMBEDDINGS.items()}
    names["text_embedding.norm"] = "embeddings.LayerNorm" if torch else "embeddings.layer_norm"
    for number in range(layers):
        for ours, theirs in (_HUGGING_FACE if torch else _PADDLENLP).items():
            names[f"transformer.layers.{number}.{ours}"] = f"encoder.{'layer' if torch else 'layers'}.{number}.{theirs}"
    return names, torch
