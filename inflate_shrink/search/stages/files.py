"""What is kept of a fitted first stage, in two files: one for queries, one for items that are added."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

import numpy as np

from ...errors import InputError
from ...fitted import Fit, QueryFeatures
from ...kernel.cascade import VectorMaker
from ..index import Index
from ..index.manifest import LISTED

FITTED, FRAGMENTS = "fitted", "fragments"  # fields: of the stage, and of what it predicts the scores with
STAGES = "stages"
QUERY, ITEMS = f"{STAGES}/query.npz", f"{STAGES}/items.npz"


@dataclass(frozen=True, eq=False)
class QuerySample:
    """Fragments of queries like those to come. fragments: (R, d) float32; lengths: (n,), how many each has."""

    fragments: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def queries(self) -> list[np.ndarray]:
        """Return the fragments (l, d) of each query."""
        return np.split(self.fragments, np.cumsum(self.lengths)[:-1])

    @classmethod
    def of(cls, queries: Sequence[np.ndarray]) -> QuerySample:
        """Return the sample of these queries (l, d)."""
        return cls(np.concatenate(queries).astype(np.float32), np.array([len(query) for query in queries], np.int64))


@dataclass(frozen=True, eq=False)
class StageFit:
    """fit: whose vectors come of exact scores with the ``sample``; held: other queries, to measure budgets with."""

    fit: Fit
    sample: QuerySample
    held: QuerySample


def write_fit(directory: Path, stage: StageFit) -> None:
    """Write the files into an index in the making; fragments are kept in 16 bits."""
    (directory / STAGES).mkdir()
    features = stage.fit.features
    numbers = np.array([features.dim, features.random, features.seed, features.beside], np.int64)
    np.savez(directory / QUERY, features=numbers, projection=features.projection)
    kept = {
        f"{name}_{part}": getattr(sample, part).astype(dtype)
        for name, sample in (("sample", stage.sample), ("held", stage.held))
        for part, dtype in (("fragments", np.float16), ("lengths", np.int64))
    }
    np.savez(directory / ITEMS, solver=stage.fit.solver, center=stage.fit.center, **kept)


def read_maker(index: Index) -> VectorMaker:
    """Read what makes the first stage's vector of a query; raises InputError if the file is damaged or missing."""
    features = _read_features(index)
    directions = features.directions() if features.random else np.empty((features.dim, 0), np.float32)
    return VectorMaker(np.ascontiguousarray(directions.T), features.projection, features.beside)


def read_fit(index: Index) -> StageFit:
    """Read what makes the vectors of items; raises InputError if a file is damaged or missing."""
    kept = _read(index, ITEMS)
    try:
        sample, held = (
            QuerySample(kept[f"{name}_fragments"].astype(np.float32), kept[f"{name}_lengths"])
            for name in ("sample", "held")
        )
        return StageFit(Fit(_read_features(index), kept["solver"], kept["center"]), sample, held)
    except KeyError as error:
        raise _damaged(index, ITEMS, f"{error} is missing") from None


def _read_features(index: Index) -> QueryFeatures:
    kept = _read(index, QUERY)
    try:
        dim, random, seed, beside = map(int, kept["features"])
        return QueryFeatures(dim, random, seed, beside, kept["projection"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(index, QUERY, str(error)) from None


def _read(index: Index, name: str) -> dict[str, np.ndarray]:
    """Read the arrays of a file after its checksum was compared: they are then what was written."""
    files = index.manifest.files
    if name not in files:
        raise InputError(
            f"{index.directory / name}: missing from the index; build it again, or search with --mode exact"
        )
    LISTED.check(index.directory / name, files[name], contents=True)
    try:
        with np.load(index.directory / name, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(index, name, str(error)) from None


def _damaged(index: Index, name: str, reason: str) -> InputError:
    return InputError(
        f"{index.directory / name}: damaged ({reason}); build the index again, or search with --mode exact"
    )
