"""What is trained: a model of the pipeline, its sizes, and batches that both sides draw alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy as np

from inflate_shrink.config import Config, config_from_dict
from inflate_shrink.data.batches import Batch
from inflate_shrink.data.store import Store, open_store

from ..loader import write_store

KINDS = {"F": dict(codes=0, fragments=1), "B": dict(codes=0), "I": dict(codes=32)}
STEPS = {  # of the pipeline, by name: the model and its teacher
    "F": ("F", ""), "B": ("B", ""), "I": ("I", ""), "B-F": ("F", "B"), "I-F": ("F", "I"), "I-B": ("B", "I"),
}  # fmt: skip
SHAPES = {128: dict(heads=4, ffn=256)}  # as configs/flickr8k.yaml; of other widths as BERT's
REGIONS, DIMENSION, WORDS = 32, 2048, 32
IMAGES = 256  # on disk


@dataclass(frozen=True)
class Case:
    """A step of the pipeline by its name in :data:`STEPS`, and its sizes; padding: as ``model.score_padding``."""

    step: str
    hidden: int
    batch: int
    vocabulary: int
    padding: str = "counted"
    seed: int = 0

    @property
    def is_student(self) -> bool:
        """Return whether it is distilled."""
        return bool(STEPS[self.step][1])

    def config(self) -> Config:
        """Return the config of recipe ``released``."""
        shape = SHAPES.get(self.hidden) or dict(heads=max(1, self.hidden // 64), ffn=4 * self.hidden)
        model = dict(**KINDS[STEPS[self.step][0]], **shape, hidden=self.hidden, layers=3, dropout=0.1)
        sections = {"model": {**model, "score_padding": self.padding}, "run": {"seed": self.seed}}
        return config_from_dict({"recipe": "released", **sections}, "benchmark")

    def teacher(self) -> Case:
        """Return the case of its teacher."""
        return replace(self, step=STEPS[self.step][1])

    def as_json(self) -> dict:
        """Return it as JSON values."""
        return asdict(self)


class Side(NamedTuple):
    """A teacher's fragments of texts or images, vectors (n, l, D) float16 of length 1; mask (n, l)."""

    vectors: np.ndarray
    mask: np.ndarray


def write_data(directory: Path, seed: int) -> None:
    """Write the data set that batches are read from."""
    write_store(directory, IMAGES, REGIONS, DIMENSION, seed)


def batches(case: Case, directory: Path) -> Iterator[Batch]:
    """Yield batches without end: no image twice in one, captions of 8 to 23 random words."""
    store = open_store(directory)
    ids = _captions(case)
    for number in count():
        random = np.random.default_rng([case.seed, number])
        yield _batch(store, ids, random.permutation(IMAGES)[: case.batch])


def teacher_fragments(case: Case) -> tuple[Side, Side]:
    """Draw the fragments of all captions and images that a teacher would have on disk."""
    random, config = np.random.default_rng(case.seed), case.teacher().config().model
    words = (_captions(case) != 0).sum(1)
    return tuple(_side(random, config, given, inputs) for given, inputs in ((words, WORDS), (None, REGIONS)))


def _side(random, config, filled, inputs: int) -> Side:
    vectors = random.standard_normal((IMAGES, config.fragments_of(inputs), config.hidden), np.float32)
    mask = np.ones(vectors.shape[:2], np.float32)
    if filled is not None and config.score_padding == "masked":
        mask[:, :inputs] = np.arange(inputs) < filled[:, None]
    return Side((vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float16), mask)


def _captions(case: Case) -> np.ndarray:
    random = np.random.default_rng(case.seed)
    ids = random.integers(1, case.vocabulary, (IMAGES, WORDS))
    ids[np.arange(WORDS) >= random.integers(8, 24, (IMAGES, 1))] = 0
    return ids


def _batch(store: Store, ids: np.ndarray, rows: np.ndarray) -> Batch:
    regions, counts = store.read_regions(rows)
    return Batch(ids[rows], regions, counts, rows, rows, np.zeros(len(rows), bool))
