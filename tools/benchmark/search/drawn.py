"""Drawn collections as an index stores them, of any size in bounded memory, and whether they fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from inflate_shrink.kernel import ROW_DTYPE, StoredFragments, encode_rows, row_width

_POOL_ROWS = 1 << 16  # really drawn; a larger collection repeats these items in another order
_OF_FREE_MEMORY = 0.8


def draw_rows(
    items: int, fragments: int, dim: int, precision: str, seed: int, file: Path | None = None
) -> StoredFragments:
    """Draw ``items`` items of ``fragments`` normalised fragments.

    Args:
        file: where the values are kept, memory-mapped; None: in memory.
    """
    generator = np.random.Generator(np.random.SFC64(seed))
    pool = max(1, min(items, _POOL_ROWS // fragments))
    values, scales = encode_rows(draw_vectors(generator, pool * fragments, dim), precision)
    shape = (items, fragments * row_width(dim, precision))
    dtype = ROW_DTYPE[precision]
    stored = np.empty(shape, dtype) if file is None else np.memmap(file, dtype, "w+", shape=shape)
    stored_scales = None if scales is None else np.empty((items, fragments), np.float32)
    for start in range(0, items, pool):
        order = generator.permutation(pool)[: items - start]
        np.take(values.reshape(pool, -1), order, axis=0, out=stored[start : start + pool], mode="clip")
        if scales is not None:
            stored_scales[start : start + pool] = scales.reshape(pool, fragments)[order]
    if file is not None:
        stored.flush()
        stored = np.memmap(file, dtype, "r", shape=shape)
    offsets = np.arange(items + 1, dtype=np.int64) * fragments
    stored_scales = None if scales is None else stored_scales.reshape(-1)
    return StoredFragments(stored.reshape(items * fragments, -1), stored_scales, offsets, precision, dim)


def draw_vectors(generator: np.random.Generator, rows: int, dim: int) -> np.ndarray:
    """Draw (rows, dim) float32 of norm 1."""
    vectors = generator.random((rows, dim), np.float32) - np.float32(0.5)
    vectors /= np.sqrt(np.einsum("rd,rd->r", vectors, vectors))[:, None]
    return vectors


def draw_query(fragments: int, dim: int, seed: int) -> np.ndarray:
    """Draw (fragments, dim) float32 of norm 1, others than those of :func:`draw_rows`."""
    return draw_vectors(np.random.default_rng([seed, 1]), fragments, dim)


def first_items(rows: StoredFragments, items: int) -> StoredFragments:
    """Return a view of the first items of a collection with equal numbers of fragments."""
    end = int(rows.offsets[items])
    scales = None if rows.scales is None else rows.scales[:end]
    return replace(rows, values=rows.values[:end], scales=scales, offsets=rows.offsets[: items + 1])


def stored_bytes(items: int, fragments: int, dim: int, precision: str) -> int:
    """Return the size of a collection: values, scales and offsets."""
    row = row_width(dim, precision) * ROW_DTYPE[precision].itemsize + (4 if precision == "int8" else 0)
    return items * (fragments * row + 8)


def free_memory() -> int:
    """Return the bytes that this process may still use without swapping, as the kernel and the container's limit
    say."""
    free = [
        int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemAvailable")
    ]
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if limit.is_file() and limit.read_text().strip() != "max":
        free.append(int(limit.read_text()) - int(used.read_text()))
    return min(free)


def items_that_fit(items: int, bytes_of_item: float) -> int:
    """Return ``items``, or as many of them as the free memory holds, at least one."""
    return max(1, min(items, int(_OF_FREE_MEMORY * free_memory() / bytes_of_item)))
