"""Read a file that ``torch.save`` wrote into NumPy arrays, without PyTorch.

There are two formats. Since PyTorch 1.6 the file is a zip archive: ``NAME/data.pkl`` is
a pickle in which every storage is a reference, ``NAME/data/KEY`` holds its numbers.
Before, it is a row of pickles (magic number, version, system, the object, the storages'
keys) and then, for each key, the number of elements as int64 and the numbers.

A pickle can name any function of any module to be called. Here it can reach nothing but
OrderedDict, set and the rebuilding of tensors, so a file from anywhere is safe to read.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

from ..errors import InputError

_ZIP_MAGIC = b"PK\x03\x04"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<f4",  # NumPy has no bfloat16: widened to float32
    "ByteStorage": "u1",
    "CharStorage": "i1",
    "ShortStorage": "<i2",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
    "BoolStorage": "?",
}


class Placeholder:
    """Stands for any class or function that is not needed: takes whatever a pickle does to it, does nothing."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def _ignore(self, *args):
        pass

    __setstate__ = __setitem__ = append = extend = add = _ignore


def read_torch_file(path: str | Path):
    """The object saved in ``path``: its dicts and lists, with NumPy arrays in place of tensors.

    bfloat16 becomes float32. Tensors of a GPU are read like any other. Tensors that
    shared memory share it here too. Objects of other classes are :class:`Placeholder`.

    Raises InputError for a file that is missing, truncated or not written by PyTorch.
    """
    try:
        with open(path, "rb") as file:
            is_zip = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
            file.seek(0)
            return _read_zip(file) if is_zip else _read_legacy(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint file") from None
    except Exception as error:  # damaged bytes raise almost anything
        raise InputError(f"{path}: truncated, or not a checkpoint written by PyTorch ({type(error).__name__}: {error})") from None


def _read_zip(file):
    with zipfile.ZipFile(file) as archive:
        index = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        folder = index[: -len("data.pkl")]
        with archive.open(index) as data:
            unpickler = _Unpickler(data)
            result = unpickler.load()
        for key, (kind, storage) in unpickler.storages.items():
            _fill(storage, kind, archive.read(f"{folder}data/{key}"))
    return result


def _read_legacy(file):
    magic, _version, _system = (_Unpickler(file).load() for _ in range(3))
    if magic != _LEGACY_MAGIC:
        raise ValueError("wrong magic number")
    unpickler = _Unpickler(file)
    result = unpickler.load()
    for key in _Unpickler(file).load():
        kind, storage = unpickler.storages[key]
        if int.from_bytes(file.read(8), "little") != storage.size:
            raise ValueError(f"storage {key} is not where it should be")
        _fill(storage, kind, file.read(storage.size * _file_dtype(kind).itemsize))
    return result


class _Unpickler(pickle.Unpickler):
    """Builds tensors as views of storages that are still to be filled: ``storages``, key -> (kind, array)."""

    def __init__(self, file):
        super().__init__(file, encoding="latin1")  # Python 2 saved bytes as text
        self.storages = {}

    def find_class(self, module, name):
        # What is returned must not let a pickle change it: bound methods and built-in types, no functions.
        if module == "torch" and name in _DTYPES:
            return name
        allowed = {
            ("collections", "OrderedDict"): OrderedDict,
            ("__builtin__", "set"): set,
            ("torch._utils", "_rebuild_tensor_v2"): self._rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): self._rebuild_parameter,
        }
        return allowed.get((module, name)) or type(name, (Placeholder,), {})

    def persistent_load(self, reference):
        _, kind, key, _location, size = reference[:5]  # the legacy format has a sixth item, always None
        if key not in self.storages:
            self.storages[key] = kind, np.empty(size, _DTYPES[kind])
        return self.storages[key][1]

    def _rebuild_tensor(self, storage, offset, shape, strides, *_gradient):
        strides = [stride * storage.itemsize for stride in strides]
        return np.ndarray(shape, storage.dtype, storage, offset * storage.itemsize, strides)  # checks the bounds

    def _rebuild_parameter(self, tensor, *_gradient):
        return tensor


def _file_dtype(kind: str) -> np.dtype:
    return np.dtype("<u2" if kind == "BFloat16Storage" else _DTYPES[kind])


def _fill(storage: np.ndarray, kind: str, data: bytes) -> None:
    values = np.frombuffer(data, _file_dtype(kind))
    if values.shape != storage.shape:
        raise ValueError(f"a storage has {values.size} elements instead of {storage.size}")
    if kind == "BFloat16Storage":  # the upper half of a float32
        values = (values.astype("<u4") << 16).view("<f4")
    storage[:] = values
