"""Vectors for faiss, an index of them, and what is in its sidecar."""

import json

import numpy as np
import pytest

import inflate_shrink  # noqa: F401  first, as everywhere
from inflate_shrink.search.faiss_build import build_faiss
from inflate_shrink.search.faiss_vectors import signed

DIM, FIRST, SECOND = 30, 900, 300
GONE = [3, 500, FIRST + 7]  # positions of deleted items


def build(*arguments, **named):
    """:func:`build_faiss`, where faiss is installed; on one thread, as several that wait for each other are slow on a busy machine."""
    pytest.importorskip("faiss", reason="faiss is not installed: pip install inflate-shrink[faiss]")
    return build_faiss(*arguments, **{"threads": 1, **named})


def vectors_of(count, seed):
    """(count, DIM) float32, normalised, around ten centres."""
    random = np.random.default_rng(seed)
    vectors = np.random.default_rng(0).standard_normal((10, DIM))[
        random.integers(10, size=count)
    ] + 0.5 * random.standard_normal((count, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def add(writer, begin, count, seed):
    names = [str(number) for number in range(begin, begin + count)]
    vectors = vectors_of(count, seed)
    fields = {
        "vector": (vectors, [1] * count),
        "fragments": (np.repeat(vectors, 2, 0), [2] * count),
        "codes": (np.zeros(count, np.uint16), [1] * count),
    }
    writer.add(names, [""] * count, fields)
    writer.commit()


def files(index):
    return sorted(path.name for path in (index.directory / "faiss").iterdir() if path.name != "lock")


def sign(path, value):
    value.pop("json_crc32")
    path.write_text(json.dumps(signed(value)))
