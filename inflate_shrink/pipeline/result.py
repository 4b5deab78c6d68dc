"""RUN/result.json: what came out of a finished step, and of which config. Its schema, its writer and its reader."""

from __future__ import annotations

import json
import re
import typing
from pathlib import Path

from ..atomic import write_json
from ..config import ModelConfig
from ..errors import InputError, in_one_line

RESULT = "result.json"
METRICS = ("r1", "r5", "r10")
SIDES = ("t2i", "i2t")
_MOST = 1e300  # of any number
RERANK = "rerank"  # the scoring of a bi-encoder and a cross-BERT together: such a result has no evaluations of its own
SCORINGS = (*typing.get_args(typing.get_type_hints(ModelConfig)["scoring"]), RERANK)

# What a result must hold, and the kinds that it may be; what may be None may be missing too.
_FIELDS = {
    "name": str,
    "data": str,
    "split": str,
    "seed": int,
    "codes": int,
    "fragments": (int, type(None)),  # None: a cross-BERT
    "scoring": str,
    "hidden": int,
    "layers": int,
    "text_length": int,
    "regions": (int, type(None)),
    "recipe": str,
    "train_images": (int, type(None)),
    "evaluations": dict,  # protocol -> images, captions and, under t2i and i2t, recalls in percent
    "latency": (dict, type(None)),  # encode_ms, score_ms, candidates
    "rerank": (list, type(None)),  # recalls and ms_per_query for each depth n
    "weights": (str, type(None)),  # fingerprint of those that were measured
    "training": dict,  # seconds (None: not known), steps (updates), paddle, hardware, date
    "config": dict,
}


def write_result(run_dir: Path, values: dict) -> None:
    """Write ``values`` as the result of a run. Raises InputError if they are none, or the disk refuses them."""
    path = run_dir / RESULT
    try:
        _check(values)
    except ValueError as error:
        raise InputError(f"{path}: would be no result: {error}") from None
    write_json(path, values)


def read_result(path: Path) -> dict:
    """Read a result.json, whole; data without a name is "unnamed".

    Raises InputError in one line for a file that cannot be read or lacks something.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        _check(values)
    except (OSError, ValueError, RecursionError) as error:
        unreadable = not isinstance(error, ValueError) or isinstance(error, (json.JSONDecodeError, UnicodeDecodeError))
        what = "cannot be read as JSON: " if unreadable else ""
        raise InputError(
            f"{path}: {what}{in_one_line(error)}; evaluate this run again, tools/measure.py does"
        ) from None
    return {**dict.fromkeys(_FIELDS), **values, "data": values["data"] or "unnamed"}


def finished_result(run_dir: Path) -> dict | None:
    """Return the result of a run; None if it has none, or a damaged one."""
    try:
        return read_result(run_dir / RESULT)
    except InputError:
        return None


def usable_evaluation(values) -> bool:
    """Return whether a JSON value has all recalls of both directions, and says of how many images and captions."""
    try:
        _check_evaluation("", values, ("images", "captions"))
    except ValueError:
        return False
    return True


def _check(values) -> None:
    """Raise ValueError that names the key, unless ``values`` are a result."""
    if not isinstance(values, dict):
        raise ValueError(f"expected the values of a run by name, found {type(values).__name__}")
    for key, kind in _FIELDS.items():
        if not isinstance(values.get(key), kind) or isinstance(values.get(key), bool):
            raise ValueError(f"'{key}' is missing or of the wrong kind")
    if values["scoring"] not in SCORINGS:
        raise ValueError(f"'scoring' must be one of {', '.join(SCORINGS)}, found {values['scoring']!r}")
    if values.get("fragments") is None and values["scoring"] != "cross":
        raise ValueError("'fragments' must be a number, found null")
    for section in ("run", "data", "model", "distill"):
        if not isinstance(values["config"].get(section), dict):
            raise ValueError(f"'config.{section}' is missing or of the wrong kind")
    if not re.fullmatch(r"\w[\w.-]*|", values["data"]):
        raise ValueError(f"'data' must be a name of letters, figures, '.', '_' and '-', found {values['data']!r}")
    if not values["evaluations"] and values["scoring"] != RERANK:
        raise ValueError("'evaluations' is empty")
    for key, result in values["evaluations"].items():
        _check_evaluation(f"evaluations.{key}", result, ("images", "captions"))
    for number, result in enumerate(values.get("rerank") or []):
        _check_evaluation(f"rerank.{number}", result, ("n", "ms_per_query"))


def _check_evaluation(where: str, result, numbers: tuple[str, ...]) -> None:
    sides = {side: result.get(side) for side in SIDES} if isinstance(result, dict) else {}
    found = {
        f"{side}.{key}": values.get(key)
        for side, values in sides.items()
        if isinstance(values, dict)
        for key in METRICS
    }
    if len(found) < len(SIDES) * len(METRICS):
        raise ValueError(f"'{where}' must hold t2i and i2t")
    found.update({key: result.get(key) for key in numbers})
    for key, value in found.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MOST:
            raise ValueError(f"'{where}.{key}' must be a number of 0 or more, found {value!r}")
