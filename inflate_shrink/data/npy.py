"""Memory-mapped .npy files whose size, shape and type are checked before they are used."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError


def open_npy(path: Path, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Map ``path`` read-only.

    Raises:
        InputError: not a .npy file, another shape or type than expected, or a file shorter
            or longer than its own header promises.
    """
    found_shape, found_dtype, _ = read_header(path)
    if found_shape != tuple(shape) or found_dtype != np.dtype(dtype):
        raise InputError(
            f"{path}: holds {found_dtype} {found_shape}, but meta.json says {dtype} {tuple(shape)}; "
            "the files belong to different builds"
        )
    return map_npy(path)


def map_npy(path: Path) -> np.ndarray:
    """Map ``path`` read-only, whatever its shape and type.

    Raises:
        InputError: not a .npy file of numbers, or one shorter or longer than its own header promises.
    """
    shape, dtype, expected_size = read_header(path)
    size = os.path.getsize(path)
    if size != expected_size:
        raise InputError(
            f"{path}: its header promises {expected_size} bytes, the file has {size}; it is damaged, "
            "copy or build it again"
        )
    if dtype.hasobject:
        raise InputError(f"{path}: holds Python objects, which are pickles and are not opened")
    if 0 in shape:
        return np.empty(shape, dtype)  # an empty file cannot be mapped
    return np.load(path, mmap_mode="r", allow_pickle=False)


def create_npy(path: Path, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Create a file of zeros and map it for writing; a full disk is an OSError now, not a crash later."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=tuple(shape))
    with open(path, "r+b") as file:
        # Writing to a mapped hole of a full disk would kill the process (SIGBUS).
        os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
    return array


def read_header(path: Path) -> tuple[tuple[int, ...], np.dtype, int]:
    """Return shape, type and the file size in bytes that the header promises; raise InputError if there is none."""
    with open(path, "rb") as file:
        try:
            shape, _, dtype = parse_header(file)
        except ValueError as error:
            raise InputError(f"{path}: not a readable .npy file ({error}); copy or build it again") from error
        return shape, dtype, file.tell() + math.prod(shape) * dtype.itemsize


def parse_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read a header: return shape, whether in Fortran order, and type of the array; ``file`` is then at its numbers.

    Raises ValueError, with one short line, if this is no .npy header.
    """
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        return readers[np.lib.format.read_magic(file)](file)
    except OSError:
        raise
    except Exception as error:  # NumPy raises whatever Python's parser does if a header is damaged
        raise ValueError(" ".join(str(error).split())[:200] or type(error).__name__) from error
