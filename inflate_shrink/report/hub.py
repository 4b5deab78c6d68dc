"""A model as a folder to be handed over or uploaded to a model hub: ``tools/export.py --hub``.

    README.md          the model card (:mod:`.card`)
    model.safetensors, config.yaml, vocab.txt, state.json, files.json
                       a checkpoint (:mod:`..engine.checkpoint`), so everything that opens one opens the folder
    result.json        what was measured on the test split, where it was
    text_encoder/, image_encoder/
                       graphs that run without the model's code (:mod:`..search.encoder.files`)

What is written names no folder of this machine: of an absolute path only the last part is kept.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from ..atomic import atomic_path, require_new
from ..config import config_from_dict, to_dict
from ..engine.checkpoint import Checkpoint, open_checkpoint, write_checkpoint
from ..engine.checkpoint_files import LISTED
from ..errors import InputError
from ..pipeline.result import RESULT, finished_result, usable_evaluation
from ..search.encoder.export import export_encoder
from .card import CARD, Measured, card

ENCODERS = {"text": "text_encoder", "image": "image_encoder"}
UNKNOWN = "unknown"  # the hubs' name of a license that nobody has chosen
_LARGE = ".gitattributes"  # hubs keep files of these kinds apart
_KINDS = ("safetensors", "pdiparams", "onnx")


def export_hub(
    checkpoint: Checkpoint, directory: str | os.PathLike, license: str = UNKNOWN, onnx: bool = False
) -> list[Measured]:
    """Write a checkpoint with its encoders and card to a new folder, whole or not at all.

    Args:
        license: of the weights, as hubs name it, such as apache-2.0 or cc-by-nc-4.0.
        onnx: add ONNX files to the encoders, which needs Paddle 3.

    Returns:
        The recalls in the card: those that the run recorded of these weights.

    Raises:
        InputError: the folder exists, the license is no such name, or as of
            :func:`..search.encoder.export.export_encoder`.
    """
    require_new(directory)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,63}", license):
        raise InputError(f"--license {license[:80]!r}: expected the name of a license, such as apache-2.0")
    measured, result, directory = recorded(checkpoint), measured_result(checkpoint), Path(directory)
    state = _portable({
        "step": checkpoint.state.get("step", 0),
        "regions": checkpoint.state.get("regions"),
        "history": [each.values for each in measured if each.validation],
    })  # fmt: skip
    config = config_from_dict(_portable(to_dict(checkpoint.config)), str(checkpoint.directory / "config.yaml"))
    vocabulary = checkpoint.tokenizer().vocabulary
    with atomic_path(directory) as temporary:
        write_checkpoint(temporary, checkpoint.load_model(), config, vocabulary, state)
        written = open_checkpoint(temporary)
        for side, name in ENCODERS.items():
            export_encoder(written, temporary / name, side, onnx, called=directory.name)
        if result:
            (temporary / RESULT).write_text(json.dumps(_portable(result), indent=1) + "\n", encoding="utf-8")
        text = card(written, directory.name, license, measured, result)
        (temporary / CARD).write_text(text, encoding="utf-8")
        attributes = (f"*.{kind} filter=lfs diff=lfs merge=lfs -text\n" for kind in _KINDS)
        (temporary / _LARGE).write_text("".join(attributes), encoding="utf-8")
        LISTED.write(temporary, without=(CARD, _LARGE))  # these two are edited, here or by the hub
    return measured


def recorded(checkpoint: Checkpoint) -> list[Measured]:
    """Return what was measured of the weights of a checkpoint: at its validation, and on its test split."""
    history, data, result = checkpoint.state.get("history"), checkpoint.config.data, measured_result(checkpoint)
    entries = [each for each in history if isinstance(each, dict)] if isinstance(history, list) else []
    validations = [each for each in entries if each.get("step") == checkpoint.state.get("step")]
    found = [Measured(data.val_split, True, values) for values in validations[-1:] if usable_evaluation(values)]
    for protocol, values in (result["evaluations"] if result else {}).items():
        found.append(Measured(result["split"], False, {**values, "protocol": protocol}))
    return found


def measured_result(checkpoint: Checkpoint) -> dict | None:
    """Return the result.json of the checkpoint's run, or in its folder, if it is of these weights; else None."""
    for place in (checkpoint.directory, checkpoint.directory.parent):
        result = finished_result(place)
        if result and result["scoring"] == checkpoint.config.model.scoring:
            weights = result.get("weights")
            if weights is None:  # of an earlier version, measured of the checkpoint that a run is opened by
                same = open_checkpoint(place).directory.resolve() == checkpoint.directory.resolve()
            else:
                same = checkpoint.fingerprint().startswith(str(weights)) and len(str(weights)) == 16
            return result if same else None
    return None


def _portable(value):
    """Return a JSON value in which absolute paths are cut to their last part."""
    if isinstance(value, dict):
        return {key: _portable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_portable(each) for each in value]
    return os.path.basename(value.rstrip("/")) if isinstance(value, str) and os.path.isabs(value) else value
