"""Rows of the paper's tables by name: ``configs/coco.yaml:I-k16l48-B`` is a data set's file and the name of a row.

A name is the way to a model, a step a part: F, B, I, C (a cross-BERT, as a teacher) or ``kXlY``, X codes and the
first Y fragments on each side, of the X + 32 that there are. Each part is distilled from what stands before it, the first is trained. The
neighbours of Table 5 have names of their own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Collection

from ..errors import InputError, nearest
from ..published import row_names
from .yaml_files import config_path, is_name

_INPUTS = 32  # words of a caption, regions of an image
# the paper's, for models of one fragment a side, where the data set's file says nothing of these keys
_ONE_VECTOR = {"loss.margin": 0.2, "distill.teacher_temperature": 2}
_F = {"model.codes": 0, "model.fragments": 1, **_ONE_VECTOR}
_SLOTS = {"model.vector": "slot"}  # whatever a data set's file says of models of one vector
_B = {"model.codes": 0, "model.fragments": _INPUTS, **_SLOTS}
_EQUAL = {"model.text_weights": "equal"}  # weights are for late interaction alone
_SCAN = {**_B, **_EQUAL, "model.score_padding": "masked", "loss.ranking": "hardest", "loss.margin": 0.2}
_FROM_B = ("C", "joint")  # start from the row B: words and regions must agree before a matching loss can be learned
_SHAPES = {
    "F": _F,  # the fast model: one vector a side (Eq. 3)
    "B": _B,  # the base model: 32 x 32 interactions (Eq. 5)
    "I": {"model.codes": 32, "model.fragments": "all", **_SLOTS},  # the inflated model (Sec. 4.1)
    # the cross-BERT, slow to validate (Table 8)
    "C": {"model.scoring": "cross", "run.val_images": 100, **_EQUAL, **_SLOTS},
}
_NEIGHBOURS = {
    "VSE++": {**_F, "loss.ranking": "hardest"},  # Faghri et al. 2018
    "SCAN-t2i": {**_SCAN, "model.scoring": "scan_t2i"},  # Lee et al. 2018: words attend to regions
    "SCAN-i2t": {**_SCAN, "model.scoring": "scan_i2t"},  # regions attend to words
    # Lu et al. 2021; its scores are no cosines
    "VisualSparta": {**_B, **_EQUAL, "model.scoring": "visual_sparta", "loss.ranking": "smooth_max"},
    "joint": {**_F, "model.joint": True},  # F that is a cross-BERT too (Geigle et al. 2022)
}


def split_reference(reference: str | Path) -> tuple[Path, str]:
    """Split ``FILE.yaml:NAME`` into file (:func:`.yaml_files.config_path`) and name, "" for a mere file.

    Raises InputError for what can be no file.
    """
    text = str(reference)
    if not is_name(text):
        raise InputError(f"{text[:200]!r}: expected the name of a YAML file")
    match = re.fullmatch(r"(.+\.ya?ml):([^/]+)", text)
    file, name = match.groups() if match else (text, "")
    return config_path(Path(file)), name


def row_file(data: Path, name: str) -> Path:
    """Return where the row's own file is, if it has one: beside base.yaml, or in the folder named as the data set."""
    return (data.parent if data.stem == "base" else data.with_suffix("")) / f"{name}.yaml"


def is_row(data: Path, name: str) -> bool:
    """Return whether the data set in the file ``data`` has a row of that name."""
    return row_file(data, name).is_file() or _parts(name) is not None


def row_layer(data: Path, name: str, said: Collection[str] = ()) -> dict:
    """Return ``section.key`` -> value of what the name says.

    Args:
        said: the keys that the data set's file gives.

    Raises InputError, with the nearest name, for a name that says nothing.
    """
    parts = _parts(name)
    if parts is None:
        files = row_file(data, name).parent.glob("*.yaml")
        known = [*_NEIGHBOURS, *row_names(), *(file.stem for file in files if file.stem != "base")]
        grammar = "parts such as F, B, I, k16l48, and a student after each -"
        raise InputError(f"{data}: no such row '{name[:100]}'; the nearest is '{nearest(name, known)}' ({grammar})")
    place = f"runs/{row_file(data, name).parent.name}"
    shape = {key: value for key, value in _shape(parts[-1]).items() if not (key in _ONE_VECTOR and key in said)}
    values = {**shape, **({"model.init": f"{place}/B"} if parts[-1] in _FROM_B else {})}
    teacher = {"distill.teacher": f"{place}/{'-'.join(parts[:-1])}"} if len(parts) > 1 else {}
    return {"name": name, "run.dir": f"{place}/{name}", **values, **teacher}


def _parts(name: str) -> list[str] | None:
    """Return the parts of a row's name; None if it is none. A cross-BERT is a student of nothing."""
    parts = [name] if name in _NEIGHBOURS else name.split("-")
    return parts if all(map(_shape, parts)) and "C" not in parts[1:] else None


def _shape(part: str) -> dict:
    """Return what a part says of the model; {} if it says nothing."""
    numbers = re.fullmatch(r"k(0|[1-9]\d{0,3})l([1-9]\d{0,3})", part)
    if not numbers:
        return _SHAPES.get(part) or _NEIGHBOURS.get(part, {})
    codes, fragments = map(int, numbers.groups())
    if fragments > codes + _INPUTS:  # a typo, such as k16l84
        return {}
    shape = {"model.codes": codes, "model.fragments": fragments, **(_ONE_VECTOR if fragments == 1 else {})}
    return shape if (codes, fragments) == (0, 1) else {**shape, **_SLOTS}
