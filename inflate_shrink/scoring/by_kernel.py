"""Where tensors are such that the compiled kernel can compute with them (:mod:`inflate_shrink.kernel.training`)."""

from __future__ import annotations

from functools import cache

import paddle

from ..kernel import training


def by_kernel(*tensors: paddle.Tensor) -> bool:
    """Return whether the kernel is there and can read all of these: float32, on the CPU, row after row, not exported.

    >>> by_kernel(paddle.ones([2], "float64"))
    False
    """
    if not (paddle.in_dynamic_mode() and training.available() and _row_after_row()):
        return False
    return all(each.dtype == paddle.float32 and each.place.is_cpu_place() for each in tensors)


@cache
def _row_after_row() -> bool:
    """Return whether every tensor is contiguous, as where Paddle transposes at once (inflate_shrink/cpu.py)."""
    name = "FLAGS_use_stride_kernel"
    return not paddle.get_flags(name)[name]
