"""Many queries in one call: they share each read of the stored rows, which lie in a core's cache for all of them."""

from __future__ import annotations

from typing import Callable

import numpy as np

from inflate_shrink import kernel

from .drawn import draw_rows, draw_vectors, items_that_fit, stored_bytes
from .limit import WITHOUT_LIMIT
from .scoring import Shape
from .timing import best_and_median, milliseconds

SHAPES = (Shape("F", 1, 768), Shape("B", 32, 768), Shape("I", 96, 768))
SIZES = (1, 8, 64)  # queries of a call
PRECISION = "int8"
_FRAGMENTS = 32  # of B: the other collections have as many rows


def measure_batches(
    images: int,
    threads: int,
    seed: int,
    *,
    shapes: tuple[Shape, ...] = SHAPES,
    rounds: int = 4,
    show: Callable[[str], None] = lambda text: None,
) -> list[dict]:
    """Measure scoring ``images`` of B, and for the other models as many rows, by batches of queries in int8.

    Returns:
        Dicts with ``model``, ``fragments``, ``dim``, ``images``, ``queries`` of a call, ``ms``, ``median_ms``,
        ``per_second`` queries, and ``limit``: as many queries as the multiply-add alone could make (None: NumPy).
    """
    found = []
    for shape in shapes:
        wanted = max(1, images * _FRAGMENTS // shape.fragments)
        count = items_that_fit(wanted, stored_bytes(1, shape.fragments, shape.dim, PRECISION))
        show(f"batches, {shape.model}: drawing {count} images")
        rows = draw_rows(count, shape.fragments, shape.dim, PRECISION, seed)
        drawn = draw_vectors(np.random.default_rng([seed, 1]), max(SIZES) * shape.fragments, shape.dim)
        queries = drawn.reshape(max(SIZES), shape.fragments, shape.dim)
        limit = None
        if kernel.paths()[0] not in WITHOUT_LIMIT:
            speed = max(kernel.arithmetic_limit(PRECISION, threads, 0.2) for _ in range(rounds))
            limit = speed / (2 * count * shape.fragments**2 * shape.dim)
        for size in SIZES:
            show(f"batches, {shape.model}: {size} queries at once")
            times = milliseconds(lambda: kernel.scores(list(queries[:size]), rows, threads=threads), rounds)
            entry = {**shape._asdict(), "images": count, "queries": size, **best_and_median(times)}
            found.append({**entry, "per_second": 1000 * size / entry["ms"], "limit": limit})
    return found
