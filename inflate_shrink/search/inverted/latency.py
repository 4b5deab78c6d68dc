"""Queries per second of the inverted index, against scoring the same images without one."""

from __future__ import annotations

import time
from typing import Callable, Sequence

import numpy as np
import paddle

from ...scoring import Fragments, visual_sparta
from ..ranking import best
from .index import InvertedIndex


def queries_per_second(index: InvertedIndex, words: paddle.Tensor, image: Fragments, queries: Sequence[np.ndarray], k: int = 10) -> dict:
    """Answer the queries one after the other in both ways, from pieces to the ``k`` best rows.

    Args:
        words: (V, D) of the model, its ``word_vectors()``.
        image: the encoded images of the index, in its order.
        queries: at least one, (n,) pieces each, as :meth:`InvertedIndex.pieces` gives them.

    Returns:
        ``images``, ``queries``; ``inverted`` and ``full`` in queries per second, and ``ratio`` of the two.
    """

    def full(pieces: np.ndarray) -> np.ndarray:
        text = Fragments(paddle.gather(words, paddle.to_tensor(pieces)).unsqueeze(0))
        return visual_sparta(text, image).numpy()[:, 0]

    with paddle.no_grad():
        inverted_qps, full_qps = (_per_second(lambda pieces: best(score(pieces), k), queries) for score in (index.scores, full))
    return {"images": len(index), "queries": len(queries), "inverted": inverted_qps, "full": full_qps, "ratio": inverted_qps / full_qps}


def _per_second(answer: Callable[[np.ndarray], np.ndarray], queries: Sequence[np.ndarray]) -> float:
    answer(queries[0])  # the first call chooses kernels and reads pages from disk
    start = time.perf_counter()
    for pieces in queries:
        answer(pieces)
    return len(queries) / (time.perf_counter() - start)
