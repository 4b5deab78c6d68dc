"""The two steps of the pipeline: train a model (Sec. 3, 4.1), distil one into another (Sec. 4.2)."""

from __future__ import annotations

from pathlib import Path

import paddle

from ..config import Config
from ..errors import InputError
from ..model.encoder import DualEncoder
from ..model.pretrained import load_bert
from .checkpoint import new_model
from .objectives import DistillationObjective, RankingObjective
from .progress import Progress
from .teacher import Teacher, open_teacher
from .trainer import fit
from .training_data import TrainingData, open_training_data


def train(config: Config, resume: bool = False) -> None:
    """Train ``config.model`` with the ranking loss. Checkpoints appear in ``config.run.dir``."""
    data = _open_data(config)
    model = _initial_model(config, data, None)
    fit(config, data, model, RankingObjective(config.loss), _progress(config), resume)


def distill(config: Config, resume: bool = False) -> None:
    """Distil ``config.distill.teacher`` into ``config.model``. Checkpoints appear in ``config.run.dir``."""
    data = _open_data(config)
    checkpoint = open_teacher(config.distill, data)
    _check_sizes(config, checkpoint.config)
    progress = _progress(config)
    teacher = Teacher(config.distill, checkpoint, data, Path(config.run.dir) / "teacher_fragments", progress.log)
    model = _initial_model(config, data, teacher.model)
    if config.distill.share_inputs:
        _share_inputs(model, teacher.model)
    fit(config, data, model, DistillationObjective(config.distill, teacher), progress, resume)


def _open_data(config: Config) -> TrainingData:
    if not config.run.dir:
        raise InputError("run.dir is empty: set it to the directory for this run's checkpoints")
    return open_training_data(config.data, config.optim.batch_size)


def _progress(config: Config) -> Progress:
    """Made once the input is known to be right: it creates the run's directory."""
    return Progress(Path(config.run.dir) / "train.log", config.run.log_steps)


def _initial_model(config: Config, data: TrainingData, teacher: DualEncoder | None) -> DualEncoder:
    paddle.seed(config.run.seed)
    model = new_model(config, data.tokenizer.vocab_size, data.region_dim)
    if config.model.init == "teacher":
        if teacher is None:
            raise InputError("model.init: teacher needs a teacher: use tools/distill.py")
        _copy_matching(model, teacher)
    elif config.model.init != "none":
        load_bert(model, config.model.init)
    return model


def _copy_matching(model: DualEncoder, teacher: DualEncoder) -> None:
    """Start from the teacher's weights: all but the codes, whose number may differ."""
    weights = {name: value for name, value in teacher.state_dict().items() if not name.startswith("codes.")}
    model.set_state_dict(weights)


def _share_inputs(model: DualEncoder, teacher: DualEncoder) -> None:
    """Take the teacher's word embeddings and region projection, frozen (as released)."""
    for part in ("text_embedding", "region_embedding"):
        layer = getattr(model, part)
        layer.set_state_dict(getattr(teacher, part).state_dict())
        for parameter in layer.parameters():
            parameter.stop_gradient = True


def _check_sizes(config: Config, teacher: Config) -> None:
    for key in ("hidden", "layers", "ffn"):
        ours, theirs = getattr(config.model, key), getattr(teacher.model, key)
        if ours != theirs and (config.model.init == "teacher" or config.distill.share_inputs):
            raise InputError(f"model.{key} is {ours}, the teacher's is {theirs}: with model.init teacher or distill.share_inputs they must be equal")
