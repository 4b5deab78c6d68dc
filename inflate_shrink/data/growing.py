"""Files that grow row by row, and are taken up after the process was killed: an array, arrays of regions, and a table.

Everything is written at once and unbuffered, so that what one call wrote is there when the
process dies in the next. Nothing is mapped for writing: a full disk is an OSError, not a SIGBUS.
"""

from __future__ import annotations

import math
import os
import zlib
from pathlib import Path

import numpy as np

from ..errors import InputError
from .npy import read_header

_HEADER_BYTES = 128


class GrowingNpy:
    """A ``.npy`` file; readable as one after :meth:`finish`, when its header names the rows.

    Rows are addressed: one left half written is simply written again.

    Args:
        path: created, or taken up if it exists.
        row_shape, dtype: of one row.

    Raises:
        InputError: the existing file is not such an array.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...], dtype: str):
        self._row_shape, self._dtype = tuple(row_shape), np.dtype(dtype)
        self._row_bytes = math.prod(row_shape) * self._dtype.itemsize
        if self._row_bytes <= 0:
            raise InputError(f"{path}: rows {self._row_shape} hold no values")
        new = not path.exists()
        self._file = open(path, "x+b" if new else "r+b", buffering=0)
        try:
            if new:
                self.finish(0)
            elif self._file.read(_HEADER_BYTES) != self._header(read_header(path)[0][:1]):
                raise InputError(f"{path}: not an array of rows {self._row_shape} {self._dtype}")
        except BaseException:
            self._file.close()
            raise

    @property
    def rows(self) -> int:
        """Return the number of whole rows in the file."""
        return (os.fstat(self._file.fileno()).st_size - _HEADER_BYTES) // self._row_bytes

    def write(self, row: int, values: np.ndarray) -> None:
        """Write one row, ``values`` of the row's shape and type, C-contiguous."""
        _write_all(self._file, values.reshape(-1).view(np.uint8), _HEADER_BYTES + row * self._row_bytes)

    def read(self, row: int) -> np.ndarray:
        """Read one row, of the row's shape and type."""
        data = os.pread(self._file.fileno(), self._row_bytes, _HEADER_BYTES + row * self._row_bytes)
        return np.frombuffer(data, self._dtype).reshape(self._row_shape)

    def finish(self, rows: int) -> None:
        """Make it a ``.npy`` file of the first ``rows`` rows; more may be written afterwards."""
        self._file.truncate(_HEADER_BYTES + rows * self._row_bytes)
        _write_all(self._file, self._header((rows,)), 0)

    def close(self) -> None:
        """Close the file as it is; only :meth:`finish` makes it an array that NumPy opens."""
        self._file.close()

    def _header(self, rows: tuple[int, ...]) -> bytes:
        """Return a header of version 1.0, with the padding of NumPy, which leaves room for any number of rows."""
        descr, shape = np.lib.format.dtype_to_descr(self._dtype), (*rows, *self._row_shape)
        text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
        magic = np.lib.format.magic(1, 0)
        length = _HEADER_BYTES - len(magic) - 2
        return magic + length.to_bytes(2, "little") + text.encode("ascii").ljust(length - 1) + b"\n"


class GrowingRegions:
    """Regions of images in slots and how many of them there are, in two arrays, with the checksum of all regions.

    Args:
        directory, prefix: of the files ``regions.npy`` and ``region_counts.npy``.
        slots, dimension, dtype: of an image's regions.
        least: regions of an image; of 0 nothing is written, which leaves a hole in the file.

    Raises:
        InputError: an existing file is not such an array.
    """

    def __init__(self, directory: Path, prefix: str, slots: int, dimension: int, dtype: str, least: int):
        self.checksum = 0
        self._slots, self._least = slots, least
        self._regions = GrowingNpy(directory / f"{prefix}regions.npy", (slots, dimension), dtype)
        try:
            self._counts = GrowingNpy(directory / f"{prefix}region_counts.npy", (), "int32")
        except BaseException:
            self._regions.close()
            raise

    @property
    def rows(self) -> int:
        """Return the number of images that may be whole, see :meth:`holds`."""
        return self._counts.rows

    def holds(self, row: int) -> bool:
        """Return whether an image's regions are there; not if the machine lost its power before they were on disk."""
        count = int(self._counts.read(row))
        return self._least <= count <= self._slots and (not count or row < self._regions.rows)

    def take_up(self, row: int) -> None:
        """Count an image that is there, the next one, into the checksum."""
        count = int(self._counts.read(row))
        if count:
            self.checksum = zlib.crc32(self._regions.read(row)[:count], self.checksum)

    def write(self, row: int, block: np.ndarray, count: int) -> None:
        """Write an image's regions, the first ``count`` rows of ``block`` (slots, D); the others are zero."""
        if count:
            self._regions.write(row, block)
            self.checksum = zlib.crc32(block[:count], self.checksum)
        self._counts.write(row, np.array([count], np.int32))

    def finish(self, rows: int) -> None:
        """Make them ``.npy`` files, as :meth:`GrowingNpy.finish` does."""
        self._regions.finish(rows)
        self._counts.finish(rows)

    def close(self) -> None:
        """Close the files as they are."""
        self._regions.close()
        self._counts.close()


class GrowingTable:
    """A file of lines after a header line; each line is complete or not there.

    Args:
        path: created, or taken up if it exists.
        header: first line, with its newline.

    Raises:
        InputError: the existing file begins otherwise.
    """

    def __init__(self, path: Path, header: bytes):
        new = not path.exists()
        self._file = open(path, "x+b" if new else "r+b", buffering=0)
        try:
            if new:
                _write_all(self._file, header, 0)
            elif self._file.read(len(header)) != header:
                raise InputError(f"{path}: does not begin with the line {header!r}")
        except BaseException:
            self._file.close()
            raise
        self._start = self._end = len(header)

    def complete_lines(self) -> list[bytes]:
        """Return the lines in the file after the header, with their newlines, without a last one that was cut short."""
        self._file.seek(self._start)
        return [line + b"\n" for line in self._file.readall().split(b"\n")[:-1]]

    def keep(self, lines: list[bytes]) -> None:
        """Go on after these, the first of :meth:`complete_lines`."""
        self._end = self._start + sum(map(len, lines))
        self._file.truncate(self._end)

    def append(self, line: bytes) -> None:
        """Add one line, with its newline."""
        _write_all(self._file, line, self._end)
        self._end += len(line)

    def finish(self) -> None:
        """Remove what an :meth:`append` that failed left behind."""
        self._file.truncate(self._end)

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()


def _write_all(file, data, offset: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(file.fileno(), left, offset)  # a nearly full disk takes fewer bytes than given
        left, offset = left[written:], offset + written
