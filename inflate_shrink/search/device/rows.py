"""An index's fragments scored by Paddle's operators on the current device, block by block.

Products are made in fp16 or bf16 on a GPU's tensor cores and summed in float32. **Untested on a GPU**:
tested on the CPU, where products are always float32.
"""

from __future__ import annotations

import warnings
from typing import Sequence

import numpy as np
import paddle

from ...errors import InputError
from ...kernel import StoredFragments
from ...scoring import Fragments, late_interaction

DTYPES = ("float16", "bfloat16", "float32")
_CPU_BLOCK = 1 << 27  # bytes
# A block takes at most 1/4 of the free memory, rows that stay 1/2.
_SHARE_OF_BLOCK, _SHARE_OF_ROWS = 4, 2


class DeviceRows:
    """N items on the current Paddle device.

    On a GPU whose free memory holds them twice the rows are copied there once, as they are stored. Otherwise, and
    on the CPU, each search reads them block by block from where they are, a memory map as a rule.
    """

    def __init__(
        self, rows: StoredFragments, dtype: str = "float16", block_bytes: int = 0, resident: bool | None = None
    ):
        """Keep the rows where they are, or copy them to the device.

        Args:
            dtype: how products are made, in "float16", "bfloat16" or "float32"; on the CPU float32, with a warning.
            block_bytes: bound on the vectors of a block; 0: a share of the GPU's free memory, 128 MiB on the CPU.
            resident: whether the rows stay on the device; None: as above.

        Raises:
            InputError: there is no such dtype.
        """
        if dtype not in DTYPES:
            raise InputError(f"dtype must be one of {', '.join(DTYPES)}, found {dtype!r}")
        self.rows, self.dtype, self.on_gpu = rows, dtype, paddle.device.get_device().startswith("gpu")
        if not self.on_gpu and dtype != "float32":
            warnings.warn(f"{dtype} products need a GPU: scoring in float32", stacklevel=2)
            self.dtype = "float32"
        free = free_memory() if self.on_gpu else _CPU_BLOCK * _SHARE_OF_BLOCK
        self.resident = self.on_gpu and rows.values.nbytes <= free // _SHARE_OF_ROWS if resident is None else resident
        if self.resident:
            self._values = self._upload(rows.values)
            self._scales = None if rows.scales is None else self._upload(rows.scales)
            free -= rows.values.nbytes if self.on_gpu else 0
        self.block_bytes = block_bytes or free // _SHARE_OF_BLOCK

    def scores(
        self, queries: Sequence[np.ndarray], items: np.ndarray | None = None, stored: str = "image"
    ) -> np.ndarray:
        """Score every query with every item by late interaction, as :func:`inflate_shrink.kernel.scores` does.

        Args:
            queries: float32 (l, d), the fragments that count.
            items: (n,) int, only these; None: all.
            stored: "image": sum over the query of each fragment's best row; "text": sum over the item's rows of each
                row's best query fragment.

        Returns:
            (Q, n) float32; -infinity for an item without rows, and with ``stored="text"`` for a query without
            fragments.

        Raises:
            InputError: a query has another dimension.
        """
        for query in queries:
            if query.ndim != 2 or query.shape[1] != self.rows.dim:
                raise InputError(
                    f"a query has the shape {query.shape}, the index holds vectors of {self.rows.dim} dimensions"
                )
        offsets = np.asarray(self.rows.offsets)
        begins, lengths = offsets[:-1], np.diff(offsets)
        if items is not None:
            begins, lengths = begins[items], lengths[items]
        filled, asked = np.flatnonzero(lengths), [q for q, query in enumerate(queries) if len(query)]
        out = np.full((len(queries), len(lengths)), 0 if stored == "image" else -np.inf, np.float32)
        out[:, lengths == 0] = -np.inf
        if len(filled) and asked:
            prepared, step = self._prepare([queries[q] for q in asked], stored), self._items_at_once(int(lengths.max()))
            blocks = [filled[begin : begin + step] for begin in range(0, len(filled), step)]
            # the results are fetched together: a GPU computes a block while the next is read from disk
            scores = paddle.concat(
                [self._score(prepared, begins[block], lengths[block], stored) for block in blocks], axis=1
            )
            out[np.ix_(asked, filled)] = scores.numpy()
        return out

    def _items_at_once(self, longest: int) -> int:
        """Return how many items of ``longest`` rows make a block: rows as stored, decoded, and two steps between."""
        row = self.rows.values.shape[1] * self.rows.values.itemsize + 3 * self.rows.dim * (
            4 if self.dtype == "float32" else 2
        )
        return max(1, self.block_bytes // (row * longest))

    def _prepare(self, queries: list[np.ndarray], stored: str) -> Fragments:
        lengths = np.array([len(query) for query in queries])
        vectors = paddle.to_tensor(np.concatenate(queries).astype(np.float32)).astype(self.dtype)
        return _padded(vectors, lengths, masked=stored == "image")

    def _score(self, queries: Fragments, begins: np.ndarray, lengths: np.ndarray, stored: str) -> paddle.Tensor:
        """Return the scores (Q, n) of a block's items."""
        block = _padded(self._decode(*self._read(begins, lengths)), lengths, masked=stored == "text")
        return late_interaction(queries, block).t() if stored == "image" else late_interaction(block, queries)

    def _read(self, begins: np.ndarray, lengths: np.ndarray) -> tuple[paddle.Tensor, paddle.Tensor | None]:
        """Return the items' rows one after another, on the device, as they are stored; and their scales."""
        adjoining = (begins[1:] == begins[:-1] + lengths[:-1]).all()
        where = slice(int(begins[0]), int(begins[-1] + lengths[-1])) if adjoining else _row_numbers(begins, lengths)
        if not self.resident:
            return tuple(
                None if part is None else self._upload(part[where]) for part in (self.rows.values, self.rows.scales)
            )
        chosen = where if adjoining else paddle.to_tensor(where)
        return tuple(
            None if part is None else part[chosen] if adjoining else paddle.gather(part, chosen)
            for part in (self._values, self._scales)
        )

    def _upload(self, part: np.ndarray) -> paddle.Tensor:
        """Copy an array to the device, to a GPU through pinned memory; bits of bf16 become a bf16 tensor."""
        part = np.ascontiguousarray(part)
        return paddle.to_tensor(part, place=paddle.CUDAPinnedPlace()).cuda() if self.on_gpu else paddle.to_tensor(part)

    def _decode(self, values: paddle.Tensor, scales: paddle.Tensor | None) -> paddle.Tensor:
        """Return the vectors (R, d) in the dtype of the products."""
        vectors = values[:, : self.rows.dim].astype(self.dtype)
        vectors = vectors if scales is None else (vectors - 128) * scales.astype(self.dtype).unsqueeze(1)
        return vectors if self.rows.center is None else vectors + paddle.to_tensor(self.rows.center).astype(self.dtype)


def require_gpu() -> None:
    """Make Paddle compute on the GPU; raises InputError where there is none."""
    if not (paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count()):
        raise InputError("no GPU here, or a Paddle without CUDA; search on the CPU (--device cpu)")
    paddle.set_device("gpu")


def free_memory() -> int:
    """Return how many bytes of the current GPU are free.

    Where Paddle lacks ``mem_get_info`` (3.3.1), other processes on that GPU are not seen.
    """
    cuda = paddle.device.cuda
    if hasattr(cuda, "mem_get_info"):
        return cuda.mem_get_info()[0] + cuda.memory_reserved() - cuda.memory_allocated()
    return cuda.get_device_properties().total_memory - cuda.memory_allocated()


def _padded(vectors: paddle.Tensor, lengths: np.ndarray, masked: bool) -> Fragments:
    """Return rows (R, d), one item after another, as (n, longest, d).

    Padding is the item's first row again, which changes no maximum; with ``masked`` a mask keeps it out of sums.
    """
    n, longest = len(lengths), int(lengths.max())
    if (lengths == longest).all():
        return Fragments(vectors.reshape([n, longest, -1]))
    starts, places = (np.cumsum(lengths) - lengths)[:, None], np.arange(longest)
    counts = places < lengths[:, None]
    index = np.where(counts, starts + places, starts)
    padded = paddle.gather(vectors, paddle.to_tensor(index.ravel())).reshape([n, longest, -1])
    return Fragments(padded, paddle.to_tensor(counts.astype(np.float32)) if masked else None)


def _row_numbers(begins: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return np.repeat(begins - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
