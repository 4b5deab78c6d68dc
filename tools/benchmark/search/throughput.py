"""Queries a second of one searcher that several threads share, beside the same queries in turn."""

from __future__ import annotations

import time
from threading import Thread
from typing import Callable, Sequence

import numpy as np

from inflate_shrink.search.encoder.encoders import QueryEncoder
from inflate_shrink.search.searcher import Searcher

_SECONDS = 1.0  # of a turn, about
_TURNS = 5


def measure_throughput(
    searcher: Searcher, encoder: QueryEncoder, captions: list[str], fragments: list[np.ndarray], k: int, callers: int
) -> list[dict]:
    """Measure exact search, a cascade, and a cascade with the encoding of its query, in turns of both ways.

    Returns:
        Dicts with ``what``, ``callers``, ``in_turn`` and ``at_once`` queries a second, the best of all turns, ``share``
        of the latter in the former, and ``same``: whether all results were the same.
    """
    kinds = {
        "exact": (lambda query: searcher.search_fragments(query, k=k, mode="exact"), fragments),
        "cascade": (lambda query: searcher.search_fragments(query, k=k), fragments),
        "cascade and encoder": (lambda text: searcher.search_fragments(encoder([text])[0], k=k), captions),
    }
    return [{"what": what, **_measure(search, given, callers)} for what, (search, given) in kinds.items()]


def _measure(search: Callable, given: Sequence, callers: int) -> dict:
    start = time.perf_counter()
    search(given[0])
    search(given[-1])
    count = int(np.clip(2 * _SECONDS / (time.perf_counter() - start), callers, 20 * len(given))) // callers * callers
    queries = [given[number % len(given)] for number in range(count)]
    speeds, results = {1: [], callers: []}, []
    for _ in range(_TURNS):
        for threads, found in speeds.items():
            hits, seconds = _run(search, queries, threads)
            found.append(count / seconds)
            results.append(hits)
    in_turn, at_once = (max(speeds[threads]) for threads in (1, callers))
    same = all(hits == results[0] for hits in results)
    return {"callers": callers, "in_turn": in_turn, "at_once": at_once, "share": at_once / in_turn, "same": same}


def _run(search: Callable, queries: list, threads: int) -> tuple[list, float]:
    """Return what each query found, and the seconds of all."""
    found: list = [None] * len(queries)

    def answer(first: int) -> None:
        for number in range(first, len(queries), threads):
            found[number] = [(hit.id, hit.score) for hit in search(queries[number])]

    running = [Thread(target=answer, args=(first,)) for first in range(threads)]
    start = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return found, time.perf_counter() - start
