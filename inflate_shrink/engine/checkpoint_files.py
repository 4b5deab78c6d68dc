"""The files of a checkpoint: arrays in safetensors, and a list of all files with their sizes and checksums.

Checkpoints of before (``model.pdparams``, ``train.pdopt``, no list) are read too, as arrays, by
:mod:`..weight_files.paddle_file`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import paddle

from ..checked_files import FileList
from ..errors import InputError
from ..weight_files.paddle_file import arrays_of, read_paddle_file
from ..weight_files.safetensors_file import read_safetensors, write_safetensors

# Each as it is written, and as it was before.
WEIGHTS, TRAINING = ("model.safetensors", "model.pdparams"), ("train.safetensors", "train.pdopt")
LISTED = FileList("files.json", "checkpoint", "copy it again, or remove files.json if you edited it")
_GROUPS = ["optimizer", "scaler"]


def find(directory: Path, names: tuple[str, ...]) -> Path | None:
    """Return the first of the files ``names`` that is there."""
    return next((directory / name for name in names if (directory / name).is_file()), None)


def write_list(directory: Path) -> None:
    """Write ``files.json`` about all files that are in ``directory`` by now."""
    LISTED.write(directory)


def check_files(directory: Path) -> None:
    """Compare all sizes, and the contents of all files but those of arrays, with the list, if there is one.

    Raises:
        InputError: a file is missing or another, or the list itself is damaged.
    """
    if (directory / LISTED.name).exists():
        LISTED.check_all(directory, lambda name, entry: name not in (WEIGHTS[0], TRAINING[0]))


def write_weights(directory: Path, state: dict[str, paddle.Tensor]) -> None:
    """Write the parameters ``state``; bfloat16 becomes float32, which holds it exactly."""
    wide = {name: value.astype("float32") if value.dtype == paddle.bfloat16 else value for name, value in state.items()}
    arrays = {name: value.numpy() for name, value in wide.items()}
    write_safetensors(directory / WEIGHTS[0], arrays)


def read_weights(directory: Path) -> dict[str, np.ndarray]:
    """Return the parameters of a checkpoint, once their file is as it was written."""
    path = find(directory, WEIGHTS) or directory / WEIGHTS[0]
    if path.name == WEIGHTS[1]:
        return arrays_of(read_paddle_file(path))
    _check(directory, path)
    return read_safetensors(path)[0]


def write_training(directory: Path, state: dict) -> None:
    """Write the states of optimizer and loss scaler: dicts, of dicts if need be, of tensors, arrays and JSON values.

    Tensors and arrays are named by their keys, joined by "/". The metadata have the values, and the names of tensors
    that have another name than their key: Paddle finds the state of a parameter's float32 copy by that copy's name.
    """
    arrays, values, names = {}, {}, {}
    for key, value in _flatten(state):
        if isinstance(value, paddle.Tensor):
            arrays[key] = value.numpy()  # bfloat16 as uint16
            if value.name != key.rpartition("/")[2]:
                names[key] = value.name
        elif isinstance(value, np.ndarray):
            arrays[key] = np.ascontiguousarray(value)
        else:
            values[key] = value.item() if isinstance(value, np.generic) else value
    write_safetensors(directory / TRAINING[0], arrays, {"values": json.dumps(values), "names": json.dumps(names)})


def read_training(directory: Path) -> dict:
    """Return what :func:`write_training` wrote, with ``optimizer``, its arrays as tensors, and ``scaler`` at least.

    Raises:
        InputError: there are none, or the file is damaged.
    """
    path = find(directory, TRAINING)
    if path is None:
        raise InputError(f"{directory}: holds no optimizer state, so training cannot be resumed from it")
    try:
        if path.name == TRAINING[1]:
            flat = {key: v if isinstance(v, tuple) else ("", v) for key, v in _flatten(read_paddle_file(path))}
        else:
            _check(directory, path)
            arrays, metadata = read_safetensors(path)
            values, names = (json.loads(metadata[part]) for part in ("values", "names"))
            flat = {key: (names.get(key, key.rpartition("/")[2]), value) for key, value in {**arrays, **values}.items()}
        return _unflatten(flat)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: damaged ({error}); {LISTED.again}") from None


def _tensor(array: np.ndarray, name: str) -> paddle.Tensor:
    tensor = paddle.to_tensor(array)  # uint16 is bfloat16
    if name:
        tensor.name = name
    return tensor


def _flatten(state: dict, prefix: str = ""):
    for key, value in state.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def _unflatten(flat: dict[str, tuple]) -> dict:
    """Return the dicts of dicts that were flattened; ``flat``: path -> name of the tensor, value."""
    result = {group: {} for group in _GROUPS}
    for path, (name, value) in flat.items():
        *groups, key = path.split("/")
        place = result
        for group in groups:
            place = place.setdefault(group, {})
        place[key] = _tensor(value, name) if groups[:1] == _GROUPS[:1] and isinstance(value, np.ndarray) else value
    return result


def _check(directory: Path, path: Path) -> None:
    """Compare one file with the list, if it is listed."""
    listed = LISTED.read(directory)["files"] if (directory / LISTED.name).exists() else {}
    if path.name in listed:
        LISTED.check(path, listed[path.name], contents=True)
