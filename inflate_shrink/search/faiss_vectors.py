"""Approximate search of one vector an item by faiss: F's own search, or a cascade's first stage, of large collections.

A sidecar of an index, INDEX/faiss/FIELD-COMMIT.faiss and .json, made by :func:`.faiss_build.build_faiss`. It is of
one commit: after the next one there is none until it is built again, and the caller scans. It only finds candidates:
the kernel scores those from the index, so that a score is the same with it and without.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from pathlib import Path
from types import ModuleType
from typing import Callable, TypeVar

import numpy as np

from ..checked_files import measure
from ..errors import InputError
from ..json_values import parse_json
from ..kernel import decode_rows, scores
from ..kernel.compiled import thread_count
from .index import UINT16, Index, Numbering

FORMAT, PLACE = 1, "faiss"
_SIGNATURE = "json_crc32"  # the key of the checksum of the other values; older files have none
Result = TypeVar("Result")
KINDS = ("scan", "ivf", "hnsw", "flat", "sq8")
# Numbers, items * dimensions: about 1.5 ms of our scan; some ten minutes of building (extrapolated), on two cores.
_SCANNED, _GRAPH = 25_000_000, 1_000_000_000


def choose_kind(items: int, dim: int) -> str:
    """Choose one of KINDS, by size.

    "scan", our own kernel without a sidecar, where that takes about a millisecond: it is exact and never out of date.
    Then "hnsw", the fastest to search at 100K, and where its graph takes too long to build, "ivf". Never "flat" and
    "sq8", faiss's own scans: ours was faster at 10K, 100K and 500K items of 768 dimensions.
    """
    numbers = items * dim
    return "scan" if numbers <= _SCANNED else "hnsw" if numbers <= _GRAPH else "ivf"


def import_faiss(where: Path) -> ModuleType:
    """Import faiss, which is an extra; raises InputError that begins with ``where`` if it is not installed."""
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it tells which instructions it loads
    try:
        import faiss
    except ImportError as error:
        raise InputError(
            f"{where}: needs faiss ({error}); pip install inflate-shrink[faiss], or search with --mode exact"
        ) from None
    return faiss


def sidecar_path(index: Index, field: str) -> Path:
    """Return the path of a sidecar's .json; its .faiss is beside it."""
    return index.directory / PLACE / f"{field}-{index.commit}.json"


def segment_names(index: Index) -> list[list[str]]:
    """Return what tells a commit from one of the same number in another index: names of segments are partly random."""
    return [[entry.name, entry.deleted_file] for entry in index.manifest.segments]


class StoredVectors:
    """The vectors of a field by the numbers of their items (:class:`.index.Numbering`). Keeps its commit when the index
    is refreshed.

    Raises:
        InputError: there is no such field, it holds numbers of centroids, or an item has several rows.
    """

    def __init__(self, index: Index, field: str):
        kind = index.settings.fields.get(field)
        if (
            kind is None
            or kind.precision == UINT16
            or any(entry.rows_per_item.get(field) != 1 for entry in index.manifest.segments)
        ):
            raise InputError(
                f"{index.directory}: field {field} does not hold one vector an item; faiss needs F's, "
                "such as the field vector"
            )
        self.dim, self._field, self._items = kind.dim, field, Numbering(index.segments)

    @property
    def live(self) -> np.ndarray:
        """Return the numbers (L,) int64 of the items that are not deleted, ascending."""
        return self._items.live

    def decode(self, numbers: np.ndarray) -> np.ndarray:
        """Return the vectors (n, d) float32 of items."""
        out = np.empty((len(numbers), self.dim), np.float32)
        for places, segment, own in self._items.parts(numbers):
            rows = segment.stored(self._field)
            scales = None if rows.scales is None else rows.scales[own]
            out[places] = decode_rows(rows.values[own], scales, rows.precision, self.dim, rows.center)
        return out

    def score(self, queries: np.ndarray, numbers: np.ndarray, threads: int = 0) -> np.ndarray:
        """Return the scores (Q, n) float32 of queries (Q, d) with items, as :func:`inflate_shrink.kernel.scores` gives
        them.
        """
        out = np.empty((len(queries), len(numbers)), np.float32)
        for places, segment, own in self._items.parts(numbers):
            out[:, places] = scores(list(queries[:, None]), segment.stored(self._field), own, threads=threads)
        return out


class FaissVectors:
    """A sidecar in memory; made by :func:`open_faiss`. Threads may share it.

    Attributes:
        kind: of KINDS, but "scan".
        effort: how much is looked at by default: nprobe of "ivf", efSearch of "hnsw"; 0 of the others, which look at
            all.
    """

    def __init__(self, faiss: ModuleType, stored: StoredVectors, found_by, kind: str, effort: int):
        self._faiss, self._stored, self._found_by = faiss, stored, found_by
        self.kind, self.effort = kind, effort

    def __len__(self) -> int:
        return len(self._stored.live)

    def search(self, vectors: np.ndarray, n: int, effort: int = 0, threads: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Find the best n items of each query, best first.

        Args:
            vectors: (Q, d) float32, normalised.
            effort: more finds more of the true best and takes longer; 0: what reached recall@10 >= 0.99 when this was
                built. For n in the hundreds "ivf" wants more of it.
            threads: share the queries; one query runs on one. 0: all cores this process may use.

        Returns:
            (Q, n) int64 numbers as of :class:`StoredVectors`, -1 where fewer are found, and (Q, n) float32 scores, then
            -infinity.

        Raises:
            InputError: the vectors have another dimension, or a number is negative.
        """
        vectors = np.ascontiguousarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self._stored.dim:
            raise InputError(
                f"queries have the shape {vectors.shape}, the index holds vectors of {self._stored.dim} dimensions"
            )
        if n < 0 or effort < 0:
            raise InputError(f"n and effort must be 0 or more, found {n} and {effort}")
        positions, scored = np.full((len(vectors), n), -1), np.full((len(vectors), n), -np.inf, np.float32)
        looked_at = min(len(self), n + n // 2 + 10)  # 8 bits swap near ones, and the kernel puts them right
        if not looked_at or not n:
            return positions, scored
        self._faiss.omp_set_num_threads(thread_count(threads))
        _, found = self._found_by.search(vectors, looked_at, params=self._parameters(effort or self.effort, looked_at))
        for query, places in enumerate(found):
            candidates = self._stored.live[np.sort(places[places >= 0])]
            values = self._stored.score(vectors[query : query + 1], candidates, threads=1)[0]
            best = np.argsort(-values, kind="stable")[:n]
            positions[query, : len(best)], scored[query, : len(best)] = candidates[best], values[best]
        return positions, scored

    def _parameters(self, effort: int, looked_at: int):
        if self.kind == "ivf":
            return self._faiss.SearchParametersIVF(nprobe=min(effort, self._found_by.nlist))
        return self._faiss.SearchParametersHNSW(efSearch=max(effort, looked_at)) if self.kind == "hnsw" else None


def open_faiss(index: Index, field: str) -> FaissVectors | None:
    """Read the sidecar of this commit into memory; None if there is none, or only one of another commit: then scan.

    Raises:
        InputError: it is damaged or of a newer format, faiss is not installed, or see :class:`StoredVectors`.
    """
    path = sidecar_path(index, field)

    def load(about: dict) -> FaissVectors | None:
        same = about["segments"] == segment_names(index)
        return _load(index, field, path.with_suffix(".faiss"), about) if same else None

    return _use(path, load)


def verify_faiss(directory: str | os.PathLike) -> None:
    """Read every sidecar of an index, those of other commits too; needs no faiss.

    Raises:
        InputError: names a file that is missing or damaged.
    """
    for path in sorted((Path(directory) / PLACE).glob("*.json")):
        _use(path, lambda about: _require_whole(path.with_suffix(".faiss"), about))


def signed(about: dict) -> dict:
    """Return what a .json says, with the checksum of that."""
    return {**about, _SIGNATURE: f"{zlib.crc32(json.dumps(about, sort_keys=True).encode()):08x}"}


def _use(path: Path, use: Callable[[dict], Result]) -> Result | None:
    """Return ``use`` of what a .json says, again if that was replaced meanwhile; None if there is none."""
    while (about := _read_about(path)) is not None:
        try:
            return use(about)
        except InputError:
            if about == _read_about(path):
                raise
    return None


def _read_about(path: Path) -> dict | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    about = parse_json(data, path, "build it again, or remove it to search without it")
    if about.whole("format", 1) > FORMAT:
        raise InputError(
            f"{path}: of format {about.value['format']}, this version reads up to {FORMAT}; "
            "use a newer version or build it again"
        )
    if _SIGNATURE in about and about.value != signed({key: about.get(key) for key in about if key != _SIGNATURE}):
        raise about.damaged(_SIGNATURE, "is not the checksum of the rest")
    about.text("kind", KINDS[1:])
    about.whole("effort", 0, 2**31 - 1)
    about.whole("size")
    about.text("crc32")
    about.get("segments")
    return about.value


def _load(index: Index, field: str, path: Path, about: dict) -> FaissVectors:
    faiss = import_faiss(path)
    _require_whole(path, about)
    try:
        found_by = faiss.read_index(str(path))
    except RuntimeError:
        raise InputError(
            f"{path}: faiss {faiss.__version__} cannot read it; use the version it was built with, or build it again"
        ) from None
    stored = StoredVectors(index, field)
    if (
        found_by.d != stored.dim
        or found_by.ntotal != len(stored.live)
        or (about["kind"] == "ivf") != hasattr(found_by, "nlist")
    ):
        raise InputError(f"{path}: holds other vectors than {path.stem}.json says; build it again, or remove both")
    return FaissVectors(faiss, stored, found_by, about["kind"], about["effort"])


def _require_whole(path: Path, about: dict) -> None:
    try:
        if tuple(measure(path)) != (about["size"], about["crc32"]):
            raise InputError(
                f"{path}: its checksum is not the one in {path.stem}.json; it is damaged, build it again or remove both"
            )
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; build it again, or remove {path.stem}.json to search without it"
        ) from None
