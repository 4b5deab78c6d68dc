"""The files of a BERT: a directory with ``config.json``, weights and, as a rule, ``vocab.txt``.

Older ones of paddlenlp have ``model_config.json``. The weights are in paddlenlp's layout or in Hugging Face's; no
library loads them: the files are read as arrays, and nothing in them runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, Sequence

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


class Bert(NamedTuple):
    """A BERT as it lies on disk; ``pieces``: its vocabulary, empty where it has none beside it."""

    source: str  # as the user named it
    config: dict
    file: Path
    pieces: Sequence[str]


def find_bert(source: str) -> Bert:
    """Find the files of "bert-base-uncased" or of a directory; raise InputError if there is no such BERT."""
    if Path(source).is_dir():
        vocabulary = Path(source) / VOCABULARY
        pieces = read_vocabulary(vocabulary) if vocabulary.exists() else []
        return Bert(source, _read_config(Path(source)), _weights_file(Path(source)), pieces)
    if source == DOWNLOADED:
        return Bert(source, *_download(), [])
    raise InputError(f"model.init: no such directory: {source}; give {DOWNLOADED} or one with a BERT's weights")


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


def read_weights(file: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a weight file by name, without the prefix ``bert.``; raise InputError if it is damaged."""
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
