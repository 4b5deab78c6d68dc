"""Building the sidecar of :mod:`.faiss_vectors`: rows are decoded and added in blocks, training takes a sample."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import numpy as np

from ..atomic import atomic_path, remove, write_json
from ..checked_files import FileEntry, FileWriter
from ..errors import InputError
from ..kernel.compiled import thread_count
from ..lock import locked
from .faiss_vectors import (
    FORMAT,
    KINDS,
    PLACE,
    FaissVectors,
    StoredVectors,
    choose_kind,
    import_faiss,
    segment_names,
    sidecar_path,
    signed,
)
from .index import Index

RECALL, AT = 0.99, 10  # the default effort reaches this R@10 of the exact neighbours
_BLOCK = 1 << 16  # vectors decoded at once, at most
_NUMBERS = 1 << 26  # numbers in the training sample at most: 256 MiB of float32
_PER_LIST = 64  # vectors of the training sample for each list
_NEIGHBOURS, _BUILD_EFFORT = 32, 64  # the graph's links of a node, and the candidates for them
_QUERIES = 128
_LOCK = "lock"


def build_faiss(
    index: Index, field: str, kind: str = "auto", seed: int = 0, threads: int = 0, queries: np.ndarray | None = None
) -> str:
    """Write the sidecar of the live items of this commit, and remove those of other commits.

    Args:
        field: has one vector an item, normalised.
        kind: of KINDS, or "auto": :func:`.faiss_vectors.choose_kind`. "scan": only remove.
        seed: of the training sample. Several threads make another graph ("hnsw") each time.
        threads: 0: all cores this process may use.
        queries: (M, d) float32 like those to come, such as the captions of validation images; the default effort is
            the least that finds RECALL of their true best AT. None: between items, which are harder than items.

    Returns:
        The kind; "scan", and nothing is written, also for an index without live items.

    Raises:
        InputError: there is no such kind, faiss is not installed, another process is building, the disk is full or
            read-only, or see :class:`.faiss_vectors.StoredVectors`. What was there before is then untouched.
    """
    stored = StoredVectors(index, field)
    if kind not in ("auto", *KINDS):
        raise InputError(f"{kind!r} is no way to search vectors; expected auto, {', '.join(KINDS)}")
    kind = choose_kind(len(stored.live), stored.dim) if kind == "auto" else kind
    place = index.directory / PLACE
    if kind == "scan" or not len(stored.live):
        if place.is_dir():
            with locked(place / _LOCK, place):
                _remove_others(place, field, None)
        return "scan"
    faiss = import_faiss(place)
    faiss.omp_set_num_threads(thread_count(threads))
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{place}: cannot be written: {error.strerror}") from None

    with locked(place / _LOCK, place):
        random = np.random.default_rng(seed)
        built = _fill(_new(faiss, kind, len(stored.live), stored.dim, seed), stored, random)
        vectors, lists = FaissVectors(faiss, stored, built, kind, 0), getattr(built, "nlist", 0)
        most = {"ivf": lists, "hnsw": len(vectors)}.get(kind, 0)
        effort, recall = _least_effort(
            vectors, stored, _between(stored, random) if queries is None else queries, most, threads
        )
        path = sidecar_path(index, field)
        with atomic_path(path.with_suffix(".faiss")) as temporary:
            entry = _write(faiss, built, temporary)
            path.unlink(missing_ok=True)  # an earlier build's sidecar does not fit
        about = {
            "format": FORMAT,
            "kind": kind,
            "field": field,
            "commit": index.commit,
            "segments": segment_names(index),
        }
        about.update(items=len(vectors), dim=stored.dim, effort=effort, recall_at_10=recall, lists=lists)
        write_json(path, signed({**about, **entry._asdict()}))
        _remove_others(place, field, path.stem)
    return kind


def _remove_others(place: Path, field: str, stem: str | None) -> None:
    """Remove the sidecars of other commits and what a build that was killed left; a .json before its .faiss, so that no
    reader misses the latter.
    """
    for path in sorted(
        [*place.glob(f"{field}-*"), *place.glob(f".{field}-*")], key=lambda path: path.suffix == ".faiss"
    ):
        if path.stem != stem:
            remove(path)


def _new(faiss: ModuleType, kind: str, items: int, dim: int, seed: int):
    """Make an empty index of inner products."""
    product, eight_bits = faiss.METRIC_INNER_PRODUCT, faiss.ScalarQuantizer.QT_8bit
    if kind == "flat":
        return faiss.IndexFlatIP(dim)
    if kind == "sq8":
        return faiss.IndexScalarQuantizer(dim, eight_bits, product)
    if kind == "hnsw":
        new = faiss.IndexHNSWSQ(dim, eight_bits, _NEIGHBOURS, product)
        new.hnsw.efConstruction = _BUILD_EFFORT
        return new
    lists = max(1, min(round(2 * math.sqrt(items)), _sample_size(items, dim) // 16))
    new = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dim), dim, lists, eight_bits, product)
    # The minimum of 1 keeps faiss from warning when there are few.
    new.cp.min_points_per_centroid, new.cp.max_points_per_centroid = 1, _PER_LIST
    new.cp.niter, new.cp.seed = 10, seed
    return new


def _sample_size(items: int, dim: int) -> int:
    return min(items, max(1, _NUMBERS // dim))


def _fill(new, stored: StoredVectors, random: np.random.Generator):
    if not new.is_trained:
        size = _sample_size(len(stored.live), stored.dim)
        size = min(size, _PER_LIST * new.nlist) if hasattr(new, "nlist") else size
        new.train(stored.decode(np.sort(random.choice(stored.live, size, replace=False))))
    for begin in range(0, len(stored.live), _BLOCK):
        new.add(stored.decode(stored.live[begin : begin + _BLOCK]))
    return new


def _between(stored: StoredVectors, random: np.random.Generator) -> np.ndarray:
    """Return (M, d) float32: sums of two items each, normalised."""
    sums = stored.decode(random.choice(stored.live, 2 * _QUERIES)).reshape(2, _QUERIES, -1).sum(0)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def _least_effort(
    vectors: FaissVectors, stored: StoredVectors, queries: np.ndarray, most: int, threads: int
) -> tuple[int, float]:
    """Return the least effort of a doubling series that finds RECALL of the true best AT, or the most there is; and
    what it finds.
    """
    best = _best(stored, queries, threads)
    effort = min(16, most)
    while True:
        found, _ = vectors.search(queries, AT, effort, threads)
        recall = float(np.mean([np.isin(wanted, some).mean() for wanted, some in zip(best, found)]))
        if recall >= RECALL or effort >= most:
            return effort, recall
        effort = min(2 * effort, most)


def _best(stored: StoredVectors, queries: np.ndarray, threads: int) -> np.ndarray:
    """Return the numbers (M, AT) int64 of the true best, or of all where there are fewer."""
    positions, values = np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
    for begin in range(0, len(stored.live), _BLOCK):
        block = stored.live[begin : begin + _BLOCK]
        positions = np.concatenate([positions, np.broadcast_to(block, (len(queries), len(block)))], 1)
        values = np.concatenate([values, stored.score(queries, block, threads)], 1)
        order = np.argsort(-values, 1, kind="stable")[:, :AT]
        positions, values = np.take_along_axis(positions, order, 1), np.take_along_axis(values, order, 1)
    return positions


def _write(faiss: ModuleType, built, path: Path) -> FileEntry:
    """Write what faiss built; raises OSError, which faiss on its own does not always notice."""
    file, errors = FileWriter(path), []

    def write(data: bytes) -> None:
        try:
            file.write(data)
        except OSError as error:
            errors.append(error)
            raise

    try:
        faiss.write_index(built, faiss.PyCallbackIOWriter(write))
        return file.finish()
    except RuntimeError:  # faiss raises it for an error of `write`
        raise errors[0] if errors else OSError("faiss cannot write it") from None
    finally:
        file.close()
