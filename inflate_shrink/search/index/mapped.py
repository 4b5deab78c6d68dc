"""Files mapped into memory without a descriptor each: an index may have more files than a process may open."""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from pathlib import Path

import numpy as np

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_LIBC.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_FAILED = ctypes.c_void_p(-1).value


class _Mapping:
    """What NumPy makes an array of, and keeps as long as there is a view of it."""

    def __init__(self, address: int, size: int):
        # True: read-only.
        self.__array_interface__ = {"version": 3, "data": (address, True), "shape": (size,), "typestr": "|u1"}
        unmap = weakref.finalize(self, _LIBC.munmap, address, size)
        unmap.atexit = False  # other threads may read until the process ends


def map_file(path: Path, dtype) -> np.ndarray:
    """Map all of a file as (n,) numbers that cannot be written, until the last array of them is gone.

    Unlike np.memmap, which keeps a descriptor for each, it works for any number of files.

    Raises:
        OSError: the file cannot be read.
        ValueError: its size is no multiple of a number's.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        if not size:  # mmap(2) refuses to map nothing
            return np.empty(0, dtype)
        address = _LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if address == _FAILED:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)
    return np.asarray(_Mapping(address, size)).view(dtype)
