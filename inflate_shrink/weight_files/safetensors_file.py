"""Arrays in a safetensors file: a JSON header with names, types, shapes and places, then the numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save_file

from ..errors import InputError, in_one_line
from .bfloat16 import widen

_TYPES = {"BOOL": "?", "F16": "<f2", "F32": "<f4", "F64": "<f8"}
_TYPES.update({f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)})


def write_safetensors(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """Write ``arrays``, contiguous; a full disk is an OSError."""
    try:
        save_file(arrays, path, metadata)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def read_safetensors(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays in ``path``, bfloat16 as float32, and its metadata. Arrays cannot be written to.

    Raises:
        InputError: the file is missing or damaged, or holds numbers of a type that NumPy has not.
    """
    try:
        data = Path(path).read_bytes()
        entries = deserialize(data)  # checks all sizes and places against the length
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: damaged or not a safetensors file ({in_one_line(error)})") from None
    return {name: _array(path, name, entry) for name, entry in entries}, header.get("__metadata__") or {}


def _array(path: str | Path, name: str, entry: dict) -> np.ndarray:
    if entry["dtype"] == "BF16":
        return widen(np.frombuffer(entry["data"], "<u2")).reshape(entry["shape"])
    if entry["dtype"] not in _TYPES:
        problem = f"'{name}' holds numbers of the type {entry['dtype']}, which are not read: save it as float32"
        raise InputError(f"{path}: {problem}")
    return np.frombuffer(entry["data"], _TYPES[entry["dtype"]]).reshape(entry["shape"])
