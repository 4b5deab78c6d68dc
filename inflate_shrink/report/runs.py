"""The result.json of a finished run: found, read and checked."""

from __future__ import annotations

import json
import math
import os
import re
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, NamedTuple

from ..config import ModelConfig
from ..pipeline.result import RESULT
from ..errors import InputError

METRICS = ("r1", "r5", "r10")
SIDES = ("t2i", "i2t")

# What a result must hold, and the kinds that it may be.
_FIELDS = {
    "name": str,
    "data": str,
    "split": str,
    "seed": int,
    "codes": int,
    "fragments": (int, type(None)),  # null: a cross-BERT
    "scoring": str,
    "hidden": int,
    "layers": int,
    "text_length": int,
    "regions": (int, type(None)),
    "recipe": str,
    "train_images": (int, type(None)),
    "evaluations": dict,
    "latency": (dict, type(None)),
    "rerank": (list, type(None)),
    "training": dict,
    "config": dict,
}
RERANK = "rerank"  # the scoring of a bi-encoder and a cross-BERT together: such a result has no evaluations of its own
SCORINGS = (*typing.get_args(typing.get_type_hints(ModelConfig)["scoring"]), RERANK)
_OPTIONAL = ("latency", "regions", "rerank", "train_images")


class Bench(NamedTuple):
    """What recalls were measured on. Only recalls of one bench are ever compared."""

    data: str
    split: str
    protocol: str
    images: int
    captions: int

    @property
    def paper(self) -> str | None:
        """The column of the paper that was measured on the same images in the same way: flickr30k, coco1k or None."""
        measured = (self.data, self.protocol, self.split, self.images)
        return {("flickr30k", "full", "test", 1000): "flickr30k", ("coco", "first1k", "test", 1000): "coco1k"}.get(measured)


@dataclass(frozen=True)
class Run:
    """One result.json; ``values`` are as in the file."""

    path: Path
    values: dict

    def __getattr__(self, key):
        try:
            return self.values[key]
        except KeyError:
            raise AttributeError(key) from None

    def benches(self) -> Iterator[tuple[Bench, dict]]:
        for protocol, found in self.evaluations.items():
            yield Bench(self.data, self.split, protocol, found["images"], found["captions"]), found


def find_results(root: Path) -> list[Path]:
    """Paths of result.json below ``root``, in order; each file once, whatever links lead to it."""
    seen, found = set(), {}
    for directory, below, files in os.walk(root, followlinks=True):
        real = os.path.realpath(directory)
        below[:] = [] if real in seen else sorted(below)
        seen.add(real)
        if RESULT in files:
            found.setdefault(os.path.realpath(os.path.join(directory, RESULT)), Path(directory) / RESULT)
    return sorted(found.values())


def read_result(path: Path) -> Run:
    """Raises InputError in one line for a file that cannot be read or lacks something."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}; evaluate this run again") from None
    try:
        _check(values)
    except ValueError as error:
        raise InputError(f"{path}: {error}; evaluate this run again") from None
    return Run(path, values)


def _check(values) -> None:
    """Raises ValueError that names the key."""
    if not isinstance(values, dict):
        raise ValueError(f"expected the values of a run by name, found {type(values).__name__}")
    for key, kind in _FIELDS.items():
        value = values.setdefault(key, None) if key in _OPTIONAL else values.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"'{key}' is missing or of the wrong kind")
    if values["scoring"] not in SCORINGS:
        raise ValueError(f"'scoring' must be one of {', '.join(SCORINGS)}, found {values['scoring']!r}")
    if values["fragments"] is None and values["scoring"] != "cross":
        raise ValueError("'fragments' must be a number, found null")
    for section in ("run", "data", "model", "distill"):
        if not isinstance(values["config"].get(section), dict):
            raise ValueError(f"'config.{section}' is missing or of the wrong kind")
    if not re.fullmatch(r"\w[\w.-]*|", values["data"]):
        raise ValueError(f"'data' must be a name of letters, figures, '.', '_' and '-', found {values['data']!r}")
    values["data"] = values["data"] or "unnamed"
    if not values["evaluations"] and values["scoring"] != RERANK:
        raise ValueError("'evaluations' is empty")
    for key, result in values["evaluations"].items():
        _check_evaluation(f"evaluations.{key}", result, ("images", "captions"))
    for number, result in enumerate(values["rerank"] or []):
        _check_evaluation(f"rerank.{number}", result, ("n", "ms_per_query"))


def _check_evaluation(where: str, result, numbers: tuple[str, ...]) -> None:
    sides = {side: result.get(side) for side in SIDES} if isinstance(result, dict) else {}
    found = {f"{side}.{key}": values.get(key) for side, values in sides.items() if isinstance(values, dict) for key in METRICS}
    if len(found) < len(SIDES) * len(METRICS):
        raise ValueError(f"'{where}' must hold t2i and i2t")
    found.update({key: result.get(key) for key in numbers})
    for key, value in found.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            raise ValueError(f"'{where}.{key}' must be a number of 0 or more, found {value!r}")
