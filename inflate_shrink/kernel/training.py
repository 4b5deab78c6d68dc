"""What a training update does between its products, on the CPU: one call in place of several of Paddle's operators.

Paddle's own run on one core, some without vectors (GELU, LayerNorm, gradients of broadcast sums). Tensors are Paddle's,
float32 and contiguous, read and written where they lie; the shapes in docstrings are the caller's to keep.
"""

from __future__ import annotations

import ctypes
import os
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .compiled import call, library, path_number


class Dropout(NamedTuple):
    """Numbers (n,) uint16 drawn at random: what is at least ``least`` is kept, times ``scale``."""

    drawn: np.ndarray
    least: int
    scale: float


class _Dropout(ctypes.Structure):
    _fields_ = [("drawn", ctypes.c_void_p), ("least", ctypes.c_int64), ("scale", ctypes.c_float)]


def available() -> bool:
    """Return whether the library is there."""
    return library() is not None


def add_bias(x, bias) -> None:
    """Add bias (dim,) to x (..., dim) in place."""
    _run("is_add_bias", x, bias, *_rows(x))


def gelu(x, bias, out) -> None:
    """Write the GELU of x + bias to ``out``, and its derivative to x; x, out: (..., dim), bias: (dim,)."""
    _run("is_gelu", x, bias, out, *_rows(x))


def column_sums(gradient, sums, factor=None, products=None) -> None:
    """Write to ``sums`` (dim,) those over all rows of the gradient (..., dim), or of its products with the factor, of
    the same shape, which are written to ``products`` where that is given."""
    _run("is_column_sums", gradient, factor, products, sums, *_rows(gradient))


def add_and_normalise(x, branch, dropout: Dropout | None, weight, bias, epsilon: float, normal, inverse, out) -> None:
    """Write LayerNorm of x + dropout(branch), or of x where that is None, to ``out``: all (..., dim).

    weight, bias: (dim,). ``normal`` becomes the result before these, ``inverse`` (rows,) what it was multiplied by.
    """
    given = weight, bias, ctypes.c_float(epsilon), normal, inverse, out
    _run("is_add_and_normalise", x, branch, _dropout(dropout), *given, *_rows(x))


def normalise_gradient(gradient, normal, inverse, dropout: Dropout | None, weight, of_x, of_branch=None) -> None:
    """Write the gradients of x and, where dropout makes it another one, of the branch."""
    _run(
        "is_normalise_gradient", gradient, normal, inverse, _dropout(dropout), weight, of_x, of_branch, *_rows(gradient)
    )


def softmax(x, bias, scale: float, dropout: Dropout | None, dropped=None) -> None:
    """Replace x (items, ..., length) by softmax(scale * x + bias), bias (items, length), and fill ``dropped`` with what
    dropout leaves of it."""
    items, length = bias.shape
    rows = x.size // (items * length)
    _run("is_softmax", x, bias, ctypes.c_float(scale), _dropout(dropout), dropped, items, rows, length)


def softmax_gradient(gradient, shares, scale: float, dropout: Dropout | None) -> None:
    """Replace the gradient of what :func:`softmax` left of the ``shares`` by that of its x."""
    _run("is_softmax_gradient", gradient, shares, ctypes.c_float(scale), _dropout(dropout), *_rows(gradient))


def best(products, bias, greatest, choice) -> None:
    """Write the greatest of products (..., images, length) + bias (images, length) or None over the last axis to
    ``greatest``, and its first place to ``choice`` int32, both (..., images)."""
    images, length = products.shape[-2:]
    _run("is_best", products, bias, products.size // (images * length), images, length, greatest, choice)


def best_gradient(gradient, choice, text, image, of_text=None, of_image=None) -> None:
    """Write the gradients of text (..., dim) and image (images, length, dim) from that of the greatest products, where
    they are wanted."""
    images, length, dim = image.shape
    _run("is_best_gradient", gradient, choice, text, image, text.size // dim, images, length, dim, of_text, of_image)


def square_sum(gradient) -> float:
    """Return the sum of the squares of a gradient, of any shape."""
    total = ctypes.c_double()
    _run("is_square_sum", gradient, gradient.size, ctypes.byref(total))
    return total.value


def adamw(weight, gradient, first, second, *, rate: float, kept: float, betas, epsilon: float, scale: float) -> None:
    """Update a weight and its two moments in place.

    Args:
        rate: the learning rate with the corrections of both moments.
        kept: what decay leaves of the weight.
        scale: of the gradient.
    """
    numbers = map(ctypes.c_float, (rate, kept, *betas, epsilon, scale))
    _run("is_adamw", weight, gradient, first, second, weight.size, *numbers)


def _rows(x) -> tuple[int, int]:
    dim = x.shape[-1]
    return x.size // dim, dim


def _run(function: str, *arguments) -> None:
    _take_threads()
    call(function, ctypes.c_int(path_number("")), *map(_address, arguments), ctypes.c_int(_threads()))


def _address(value):
    if not hasattr(value, "data_ptr"):
        return value
    if value.element_size() != 4:  # a product that autocast made, whose memory ends halfway
        raise TypeError(f"the kernel takes float32, found {value.dtype}")
    return ctypes.c_void_p(value.data_ptr())


def _dropout(dropout: Dropout | None):
    if dropout is None:
        return None
    return ctypes.byref(_Dropout(dropout.drawn.ctypes.data, dropout.least, dropout.scale))


@cache
def _take_threads() -> None:
    """Let the library work on the threads of Paddle's products: they wait awake for the next one, on every core."""
    loaded = re.search(r"\S*/libiomp5\S*\.so\S*", _maps())
    if loaded:
        library().is_lend_threads(ctypes.cast(ctypes.CDLL(loaded[0]).GOMP_parallel, ctypes.c_void_p))


def _maps() -> str:
    """Return which files are in this process's memory; "" where the system does not say."""
    try:
        return Path("/proc/self/maps").read_text(errors="replace")
    except OSError:
        return ""


@cache
def _threads() -> int:
    """Return as many as Paddle's products have (inflate_shrink/cpu.py)."""
    given = os.environ.get("MKL_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) else len(os.sched_getaffinity(0))
