"""Read a file that ``torch.save`` wrote into NumPy arrays, without PyTorch.

There are two formats. Since PyTorch 1.6 the file is a zip archive: ``NAME/data.pkl`` is
a pickle in which every storage is a reference, ``NAME/data/KEY`` holds its numbers.
Before, it is a row of pickles (magic number, version, system, the object, the storages'
keys) and then, for each key, the number of elements as int64 and the numbers.

Neither is unpickled (:mod:`.pickles`), so a file from anywhere is safe to read. Storages and tensors take memory
only for numbers that are in the file.
"""

from __future__ import annotations

import math
import mmap
import zipfile
from pathlib import Path

import numpy as np

from ..errors import InputError, in_one_line
from .bfloat16 import widen
from .pickles import load_pickle, take_pairs, take_set

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


def read_torch_file(path: str | Path):
    """Return the object saved in ``path``: its dicts and lists, with NumPy arrays in place of tensors.

    bfloat16 becomes float32. Tensors of a GPU are read like any other. Tensors that
    shared memory share it here too. Objects of other classes are :class:`.pickles.Placeholder`.

    Raises InputError for a file that is missing, truncated or not written by PyTorch.
    """
    try:
        with open(path, "rb") as file:
            if file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC:
                return _read_zip(file)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read_legacy(data)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint file") from None
    except Exception as error:  # damaged bytes raise almost anything
        why = f"{type(error).__name__}: {in_one_line(error)}"
        raise InputError(f"{path}: truncated, or not a checkpoint written by PyTorch ({why})") from None


def _read_zip(file):
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        size = file.seek(0, 2)
        parts = members.values()
        packed = any(part.compress_type != zipfile.ZIP_STORED or part.compress_size != part.file_size for part in parts)
        if packed or sum(part.file_size for part in parts) > size:
            raise ValueError("its parts are compressed or larger than the file, as PyTorch never writes them")
        index = next(name for name in members if name.endswith("/data.pkl"))
        storages = {}

        def storage(reference):
            kind, key, elements = _referenced(reference)
            if key not in storages:
                part = members[f"{index[: -len('data.pkl')]}data/{key}"]
                if part.file_size != elements * _file_dtype(kind).itemsize:
                    raise ValueError(f"storage {key} has {part.file_size} bytes, not those of {elements} elements")
                storages[key] = _numbers(kind, archive.read(part))
            return storages[key]

        with archive.open(index) as data:
            return load_pickle(data, _FUNCTIONS, storage)


def _read_legacy(data: mmap.mmap):
    """Read the format whose storages come after the tensors that are made of them.

    Their memory is taken first, if the file is long enough, and then filled.
    """
    magic, _version, _system = (load_pickle(data, {}) for _ in range(3))
    if magic != _LEGACY_MAGIC:
        raise ValueError("wrong magic number")
    storages, needed = {}, 0

    def storage(reference):
        nonlocal needed
        kind, key, elements = _referenced(reference)
        if key not in storages:
            needed += elements * _file_dtype(kind).itemsize
            if needed > len(data):
                raise ValueError(f"storages of {needed} bytes or more in a file of {len(data)}")
            storages[key] = kind, np.empty(elements, _DTYPES[kind])
        return storages[key][1]

    result = load_pickle(data, _FUNCTIONS, storage)
    for key in load_pickle(data, {}):
        kind, array = storages.pop(key)
        if int.from_bytes(data.read(8), "little") != array.size:
            raise ValueError(f"storage {key} is not where it should be")
        array[:] = _numbers(kind, data.read(array.size * _file_dtype(kind).itemsize))
    if storages:
        raise ValueError(f"the numbers of {len(storages)} storages are missing")
    return result


def _referenced(reference: tuple) -> tuple[str, str, int]:
    """Return kind, key and number of elements of a storage."""
    _, kind, key, _location, elements = reference[:5]  # the legacy format has a sixth item, always None
    if kind not in _DTYPES or type(elements) is not int or elements < 0:
        raise ValueError(f"a storage of {elements!r:.30} elements {kind!r:.30}")
    return kind, key, elements


def _rebuild_tensor(storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *_gradient) -> np.ndarray:
    if math.prod(shape) > storage.size:
        raise ValueError(f"a tensor {shape} of only {storage.size} numbers")
    strides = [stride * storage.itemsize for stride in strides]
    return np.ndarray(shape, storage.dtype, storage, offset * storage.itemsize, strides)  # checks the bounds


def _rebuild_parameter(tensor: np.ndarray, *_gradient) -> np.ndarray:
    return tensor


_FUNCTIONS = {
    ("collections", "OrderedDict"): take_pairs,
    ("__builtin__", "set"): take_set,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", kind): kind for kind in _DTYPES},
}


def _file_dtype(kind: str) -> np.dtype:
    return np.dtype("<u2" if kind == "BFloat16Storage" else _DTYPES[kind])


def _numbers(kind: str, data: bytes) -> np.ndarray:
    values = np.frombuffer(data, _file_dtype(kind))
    return widen(values) if kind == "BFloat16Storage" else values
