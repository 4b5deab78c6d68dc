"""Searching F's vectors, one an item: our scan beside faiss, exact and approximate."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Callable, Sequence

import numpy as np

from inflate_shrink import kernel
from inflate_shrink.search.ranking import best

from .drawn import draw_vectors, items_that_fit, stored_bytes
from .timing import best_and_median, milliseconds
from .worker import Worker, WorkerError

METHODS = ("scan float32", "scan bfloat16", "scan int8", "faiss Flat", "faiss SQ8", "faiss IVF", "faiss HNSW")
TOP = 10
QUERIES = 20
HNSW_ITEMS = 100_000  # a larger graph takes minutes to build
_CLUSTERS = 1000
_NOISE = 0.7  # of an item, beside its cluster's direction of norm 1
_LISTS, _PROBED = 1024, 16  # IVF
_LINKS, _BREADTH = 32, 64  # HNSW
_COPIES = 6  # of the float32 vectors that all methods together hold


class Nearest:
    """All methods on one drawn, clustered collection; in a process of its own (:class:`.worker.Worker`)."""

    def __init__(self, items: int, dim: int, threads: int, seed: int):
        generator = np.random.Generator(np.random.SFC64(seed))
        centres = draw_vectors(generator, _CLUSTERS, dim)
        self.vectors = self._around(generator, centres, items)
        self.queries = self._around(generator, centres, QUERIES)
        exact = np.argpartition(-(self.queries @ self.vectors.T), min(TOP, items) - 1)[:, :TOP]
        self.exact, self.threads = [set(row) for row in exact.tolist()], threads
        self.search: dict = {}

    def build(self, method: str) -> None:
        """Make a method ready to search."""
        kind, _, name = method.partition(" ")
        self.search[method] = self._scan(name) if kind == "scan" else self._faiss(name)

    def time(self, method: str) -> float:
        """Return the milliseconds of a query, mean of all queries, one after another."""
        search = self.search[method]
        return milliseconds(lambda: [search(query[None]) for query in self.queries], 1)[0] / len(self.queries)

    def recall(self, method: str) -> float:
        """Part of the exact ten best that is found, mean of the queries."""
        found = [self.search[method](query[None]) for query in self.queries]
        return float(
            np.mean(
                [len(exact.intersection(np.ravel(row).tolist())) / len(exact) for exact, row in zip(self.exact, found)]
            )
        )

    def _scan(self, precision: str) -> Callable[[np.ndarray], np.ndarray]:
        count, dim = self.vectors.shape
        rows = kernel.StoredFragments(
            *kernel.encode_rows(self.vectors, precision), np.arange(count + 1, dtype=np.int64), precision, dim
        )

        def search(query: np.ndarray) -> np.ndarray:
            scores = kernel.scores([query], rows, threads=self.threads)[0]
            return best(scores, min(TOP, count))

        return search

    def _faiss(self, name: str) -> Callable[[np.ndarray], np.ndarray]:
        import faiss

        faiss.omp_set_num_threads(self.threads)
        count, dim = self.vectors.shape
        product = faiss.METRIC_INNER_PRODUCT
        if name == "Flat":
            index = faiss.IndexFlatIP(dim)
        elif name == "SQ8":
            index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_8bit, product)
        elif name == "IVF":
            index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, max(1, min(_LISTS, count // 40)), product)
            index.nprobe = _PROBED
            index.cp.niter, index.cp.max_points_per_centroid = 10, 64
        else:
            index = faiss.IndexHNSWFlat(dim, _LINKS, product)
            index.hnsw.efSearch = _BREADTH
        index.train(self.vectors)
        index.add(self.vectors)
        return lambda query: index.search(query, min(TOP, count))[1]

    @staticmethod
    def _around(generator: np.random.Generator, centres: np.ndarray, count: int) -> np.ndarray:
        vectors = draw_vectors(generator, count, centres.shape[1])
        vectors *= np.float32(_NOISE)
        for start in range(0, count, 1 << 14):
            block = vectors[start : start + (1 << 14)]
            block += centres[generator.integers(0, len(centres), len(block))]
        vectors /= np.sqrt(np.einsum("rd,rd->r", vectors, vectors))[:, None]
        return vectors


def measure_nearest(
    items: Sequence[int],
    threads: int,
    seed: int,
    *,
    dim: int = 768,
    rounds: int = 4,
    show: Callable[[str], None] = lambda text: None,
) -> list[dict]:
    """Measure milliseconds a query and recall@10 of each method on collections of these sizes.

    Returns:
        Dicts with ``items`` (fewer than ``items_wanted`` where memory is short), ``dim``, ``queries``, ``faiss``, its
        version (None: not installed), and ``methods``: dicts of ``name``, ``status`` and, if measured, ``ms``,
        ``median_ms`` and ``recall``, else ``reason``.
    """
    try:
        faiss = version("faiss-cpu")
    except PackageNotFoundError:
        faiss = None
    found = []
    for wanted in items:
        count = items_that_fit(wanted, _COPIES * stored_bytes(1, 1, dim, "float32"))
        show(f"nearest: drawing {count} vectors")
        arguments = {"items": count, "dim": dim, "threads": threads, "seed": seed}
        with Worker(f"{__name__}:{Nearest.__name__}", threads, arguments) as worker:
            entries = {method: _build(worker, method, count, faiss, show) for method in METHODS}
            times: dict = {method: [] for method, entry in entries.items() if entry["status"] == "measured"}
            for _ in range(rounds + 1):  # the first warms up
                for method in times:
                    times[method].append(worker.call("time", method=method))
            for method, of_method in times.items():
                entries[method].update(best_and_median(of_method[1:]), recall=worker.call("recall", method=method))
        found.append(
            {
                "items": count,
                "items_wanted": wanted,
                "dim": dim,
                "queries": QUERIES,
                "faiss": faiss,
                "methods": list(entries.values()),
            }
        )
    return found


def _build(worker: Worker, method: str, items: int, faiss: str | None, show) -> dict:
    entry = {"name": method, "status": "measured"}
    if method.startswith("faiss") and not faiss:
        return {**entry, "status": "not installed", "reason": "pip install faiss-cpu"}
    if method == "faiss HNSW" and items > HNSW_ITEMS:
        return {**entry, "status": "left out", "reason": f"building it of more than {HNSW_ITEMS} vectors takes minutes"}
    show(f"nearest, {items} vectors: building {method}")
    try:
        worker.call("build", method=method)
    except WorkerError as error:
        return {**entry, "status": "failed", "reason": str(error)}
    return entry
