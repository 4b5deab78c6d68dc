"""Milliseconds per text query (Sec. 5.3): encoding the query, and scoring it against a collection."""

from __future__ import annotations

import time
from statistics import median
from typing import Callable

import numpy as np
import paddle

from ..model.encoder import DualEncoder
from ..scoring import Fragments


def query_latency(model: DualEncoder, ids: np.ndarray, image: Fragments, repeats: int = 30) -> tuple[float, float]:
    """Measure the median milliseconds of encoding one text and of scoring it against all of ``image``.

    Args:
        ids: (n, length) texts to take queries from.
        image: the encoded collection; its fragments are not part of the time (they are encoded off-line).
    """
    queries = [paddle.to_tensor(ids[i % len(ids)][None]) for i in range(repeats)]
    with paddle.no_grad():
        text = model.encode_text(queries[0])
        encode_ms = median_ms(lambda i: model.encode_text(queries[i]).vectors, repeats)
        score_ms = median_ms(lambda i: model.score(text, image), repeats)
    return encode_ms, score_ms


def median_ms(call: Callable[[int], paddle.Tensor], repeats: int) -> float:
    """Measure the median milliseconds of ``call(i)``, i = 0 ... repeats - 1.

    The first two, which choose kernels, do not count.
    """
    times = []
    for i in range(repeats):
        start = time.perf_counter()
        call(i).numpy()  # waits for the device; synchronize() refuses the CPU
        times.append(1000 * (time.perf_counter() - start))
    return median(times[2:])
