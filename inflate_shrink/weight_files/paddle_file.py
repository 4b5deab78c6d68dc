"""Read a file that ``paddle.save`` wrote into NumPy arrays, without ``paddle.load``, which runs what a pickle names.

It is one pickle: a dict of arrays or of tuples (name of the tensor, array), numbers, texts, lists and more dicts.
Arrays of more than 1 GiB are cut into slices under pickle protocols 2 and 3; how is told in a dict beside them.
"""

from __future__ import annotations

import math
import mmap
from pathlib import Path

import numpy as np

from ..errors import InputError, in_one_line
from .bfloat16 import widen
from .pickles import Rebuilt, load_pickle, take_pairs

STRUCTURED_NAMES = "StructuredToParameterName@@"  # names in the process that wrote them
_SLICES = "UnpackBigParamInfor@@"
_KINDS = {"b1", "f2", "f4", "f8", *(f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8))}


def read_paddle_file(path: str | Path) -> dict:
    """Return the dict saved in ``path``, with NumPy arrays in place of tensors; bfloat16 is uint16, as Paddle has it.

    A tensor whose own name Paddle kept is a tuple (name, array). Arrays cannot be written to. Objects of other
    classes are :class:`.pickles.Placeholder`.

    Raises:
        InputError: the file is missing, damaged or not written by Paddle.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            content = load_pickle(data, _functions())
        if not isinstance(content, dict):
            raise TypeError("not a dict")
        content.pop(STRUCTURED_NAMES, None)
        _join_slices(content)
        return content
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except Exception as error:  # damaged bytes raise almost anything
        why = f"{type(error).__name__}: {in_one_line(error)}"
        raise InputError(f"{path}: damaged or not written by Paddle ({why})") from None


def arrays_of(content: dict) -> dict[str, np.ndarray]:
    """Return the arrays at the top of what :func:`read_paddle_file` returns, whatever the tensors were called.

    bfloat16 is widened to float32.
    """
    values = {name: value[-1] if isinstance(value, tuple) and value else value for name, value in content.items()}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    return {name: widen(array) if array.dtype == np.uint16 else array for name, array in arrays.items()}


def _functions() -> dict:
    """Return what a pickle of arrays calls, under NumPy 1 and 2."""
    encoded = {}

    def encode(text: str, _latin1: str) -> bytes:  # protocol 2 has bytes as text
        if id(text) not in encoded:
            encoded[id(text)] = text, text.encode("latin1")
        return encoded[id(text)][1]

    functions = {
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): encode,
        ("collections", "OrderedDict"): take_pairs,
    }
    for module in ("builtins", "__builtin__"):
        functions[module, "tuple"] = _tuple
        functions[module, "bytes"] = _no_bytes
        functions[module, "eval"] = _data
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        functions[module, "_reconstruct"] = _Array
        functions[module, "scalar"] = _scalar
    return functions


class _Dtype(Rebuilt):
    def __init__(self, kind: str, *_copy):
        if kind not in _KINDS:
            raise ValueError(f"numbers of the type {kind!r:.20}")
        self.kind = kind

    def build(self, state):
        if state[1] not in ("<", ">", "|"):
            raise ValueError(f"the byte order {state[1]!r:.20}")
        return np.dtype(state[1] + self.kind)


class _Array(Rebuilt):
    def __init__(self, *_of_an_empty_one):
        pass

    def build(self, state):
        _version, shape, dtype, fortran, data = state
        if not (isinstance(dtype, np.dtype) and isinstance(data, bytes)):
            raise TypeError("an array of other things than numbers")
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"an array of shape {shape} in {len(data)} bytes")
        if not data:
            return np.empty(shape, dtype)
        return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: np.dtype, data: bytes):
    return np.frombuffer(data, dtype, 1)[0].item()


def _tuple(items: tuple) -> tuple:
    if type(items) is not tuple:
        raise TypeError("a tensor's name and array are not a tuple")
    return items


def _no_bytes() -> bytes:  # protocol 2 has them as a call
    return b""


def _data(_expression: str, values: dict):  # how Paddle writes a tensor of a static graph
    return values["data"]


def _join_slices(content: dict) -> None:
    for name, how in content.pop(_SLICES, {}).items():
        slices = [content.pop(part) for part in how["slices"]]
        content[name] = np.concatenate(slices).reshape(how["OriginShape"])
