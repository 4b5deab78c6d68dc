"""The fused CUDA kernel: late interaction whose similarities stay on the chip.

It reads rows as they are stored, fp16, bf16 or int8, once for each query, and multiplies in fp16 with float32
sums; queries are not rounded to int8 or bf16. **Untested on a GPU** (docs/gpu.md).
"""

from __future__ import annotations

import ctypes
import math
from typing import NamedTuple, Sequence

import numpy as np
import paddle

from ...errors import InputError
from ...kernel import StoredFragments
from .cuda_library import cuda_library
from .rows import DeviceRows

PRECISIONS = ("float16", "bfloat16", "int8")
# kMaxItems; four tiles of rows; at least so many thread blocks where there are items.
_MOST_ITEMS, _ROWS_OF_BLOCK, _BLOCKS = 128, 512, 512


def cuda_scores(
    library: ctypes.CDLL, queries, query_offsets, values, scales, begins, positions, output, *,
    precision: str, stored: str = "image", fragments: int = 32, items_per_block: int = 16, stream: int = 0,
) -> None:  # fmt: skip
    """Start the kernel on arrays of the current GPU, of any framework (:func:`device_pointer`); all contiguous.

    Args:
        library: of :func:`.cuda_library.cuda_library`.
        queries: (fragments of all queries, w) fp16, zero beyond the dimension. w is even, with int8 a multiple of 4.
        query_offsets: (Q + 1,) int64; query q has the rows query_offsets[q] to query_offsets[q + 1].
        values: (R, w) fp16, bf16, or uint8 = int8 + 128; R is below 2^31.
        scales: (R,) float32 of int8 values, else None.
        begins: (N,) int64, each item's first row.
        positions: (N + 1,) int64, sums of the items' lengths. For all items of an index both are its offsets.
        output: (Q, N) float32, written.
        precision: of values: "float16", "bfloat16" or "int8".
        stored: "image" (t2i) or "text" (i2t).
        fragments: those of the longest query, for speed alone.
        items_per_block: 1 to 128, for speed alone.
        stream: a CUDA stream's address; 0: the default stream. The call does not wait for the result.

    Raises:
        InputError: an array is not on a GPU or not contiguous, or CUDA refuses.
    """
    if precision not in PRECISIONS or (scales is None) == (precision == "int8"):
        raise InputError(
            f"precision must be one of {', '.join(PRECISIONS)}, and int8 alone has scales; found {precision!r}"
        )
    if values.shape[0] >= 1 << 31:
        raise InputError(f"the fused kernel counts rows in 31 bits, found {values.shape[0]} rows; score them in parts")
    pointer, integer, long = lambda array: ctypes.c_void_p(device_pointer(array)), ctypes.c_int, ctypes.c_int64
    error = library.late_interaction_scores(
        pointer(queries), pointer(query_offsets), integer(query_offsets.shape[0] - 1), integer(fragments),
        pointer(values), None if scales is None else pointer(scales), integer(PRECISIONS.index(precision)),
        integer(values.shape[1]), pointer(begins), pointer(positions), long(begins.shape[0]),
        integer(items_per_block), integer(stored == "text"), pointer(output), ctypes.c_void_p(stream),
    )  # fmt: skip
    if error:
        raise InputError(f"the fused kernel could not run: {library.late_interaction_error(error).decode()}")


def device_pointer(array) -> int:
    """Return the address of a contiguous array in a GPU's memory: a Paddle tensor, or what has
    ``__cuda_array_interface__`` (CuPy, PyTorch, Numba).
    """
    if isinstance(array, paddle.Tensor):
        if array.place.is_gpu_place() and (not hasattr(array, "is_contiguous") or array.is_contiguous()):
            return array.data_ptr()
    elif hasattr(array, "__cuda_array_interface__"):
        interface = array.__cuda_array_interface__
        strides, itemsize = interface.get("strides"), int(interface["typestr"][2:])
        if strides is None or list(strides) == [
            itemsize * math.prod(interface["shape"][i + 1 :]) for i in range(len(strides))
        ]:
            return interface["data"][0]
    raise InputError(
        "the fused kernel takes contiguous arrays in a GPU's memory, "
        f"found {type(array).__module__}.{type(array).__name__}"
    )


class _Queries(NamedTuple):
    vectors: paddle.Tensor  # (fragments of all queries, w) fp16
    offsets: paddle.Tensor  # (Q + 1,) int64
    longest: int


class FusedRows(DeviceRows):
    """N items on the current GPU, scored by the fused kernel. fp32 rows become fp16."""

    def __init__(self, rows: StoredFragments, block_bytes: int = 0, resident: bool | None = None):
        """Take what :class:`.rows.DeviceRows` takes.

        Raises InputError: there is no GPU, or no library and no ``nvcc``.
        """
        if not paddle.device.get_device().startswith("gpu"):
            raise InputError("the fused kernel needs a GPU, and Paddle's device is the CPU; DeviceRows scores there")
        major, minor = paddle.device.cuda.get_device_capability()
        self._library = cuda_library((f"{major}{minor}",))
        super().__init__(rows, "float16", block_bytes, resident)
        self._precision = "float16" if rows.precision == "float32" else rows.precision
        self._width = rows.values.shape[1] + (rows.values.shape[1] % 2 if rows.precision == "float32" else 0)
        if self.resident and rows.precision == "float32":
            self._values = self._as_fp16(self._values)

    def scores(
        self, queries: Sequence[np.ndarray], items: np.ndarray | None = None, stored: str = "image"
    ) -> np.ndarray:
        """Score as :class:`.rows.DeviceRows` does.

        Raises InputError also for captions whose rows are centred, which the kernel does not know.
        """
        center = self.rows.center
        if center is None:
            return super().scores(queries, items, stored)
        if stored == "text":
            raise InputError("the fused kernel cannot score captions whose int8 rows are centred; DeviceRows can")
        of_center = np.array([(query @ center).sum() for query in queries], np.float32)  # the same for all items
        return super().scores(queries, items, stored) + of_center[:, None]

    def _items_at_once(self, longest: int) -> int:
        return len(self.rows) if self.resident else super()._items_at_once(longest)

    def _prepare(self, queries: list[np.ndarray], stored: str) -> _Queries:
        lengths = [len(query) for query in queries]
        vectors = np.zeros((sum(lengths), self._width), np.float16)
        vectors[:, : self.rows.dim] = np.concatenate(queries)
        return _Queries(
            paddle.to_tensor(vectors), paddle.to_tensor(np.cumsum([0, *lengths], dtype=np.int64)), max(lengths)
        )

    def _score(self, queries: _Queries, begins: np.ndarray, lengths: np.ndarray, stored: str) -> paddle.Tensor:
        positions = np.cumsum([0, *lengths], dtype=np.int64)
        values, scales = (self._values, self._scales) if self.resident else self._read(begins, lengths)
        if not self.resident:
            begins, values = positions[:-1], self._as_fp16(values) if self.rows.precision == "float32" else values
        output = paddle.empty([queries.offsets.shape[0] - 1, len(begins)], "float32")
        mean = max(1, int(positions[-1]) // len(begins))
        items_per_block = max(1, min(_MOST_ITEMS, _ROWS_OF_BLOCK // mean, len(begins) // _BLOCKS))
        stream = paddle.device.current_stream().stream_base.cuda_stream
        cuda_scores(
            self._library, queries.vectors, queries.offsets, values, scales,
            *map(paddle.to_tensor, (begins, positions)), output, precision=self._precision, stored=stored,
            fragments=queries.longest, items_per_block=items_per_block, stream=stream,
        )  # fmt: skip
        return output

    def _as_fp16(self, values: paddle.Tensor) -> paddle.Tensor:
        """Return the values in fp16, (R, w) with an even w."""
        halves = values.astype("float16")
        if halves.shape[1] == self._width:
            return halves
        return paddle.concat([halves, paddle.zeros([len(halves), 1], "float16")], axis=1)
