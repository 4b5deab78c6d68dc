"""The two steps of the pipeline: train a model (Sec. 3, 4.1), distil one into another (Sec. 4.2)."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import paddle

from ..config import Config, DistillConfig, ModelConfig, student_config
from ..data.tokenized import TrainingData, open_training_data
from ..errors import InputError
from ..lock import locked
from ..model.encoder import DualEncoder
from ..model.linear_start import LinearModel
from ..model.pretrained import load_bert, piece_vectors
from ..terminal import as_called
from .checkpoint import Checkpoint, is_checkpoint, new_model, open_checkpoint
from .evaluate import as_json, describe
from .objectives import DistillationObjective, training_objective
from .precision import Precision
from .progress import Progress, Silent
from .ranks import Ranks, check_shares, joined, started
from .targets import FactorisedTargets
from .teacher import Teacher
from .trainer import RunState, fit


def train(config: Config, resume: bool = False) -> None:
    """Train ``config.model`` with the ranking loss. Checkpoints appear in ``config.run.dir``.

    Raises InputError for a student's config, before anything is opened.
    """
    if config.distill.teacher:
        way = "tools/distill.py distils it into this model; to train without it give -o distill.teacher="
        raise InputError(f"distill.teacher is {config.distill.teacher}: {way}")
    if config.model.init == "teacher":
        raise InputError("model.init: teacher needs a teacher: use tools/distill.py")
    data = _open_data(config)
    with joined() as ranks, _run_directory(config, ranks) as progress:
        model, linear = _initial_model(config, data, None, progress, ranks)
        state = fit(config, data, model, training_objective(config), progress, resume, ranks)
        _conclude(config, state, linear, progress)


def distill(config: Config, resume: bool = False) -> None:
    """Distil ``config.distill.teacher`` into ``config.model``. Checkpoints appear in ``config.run.dir``."""
    config = student_config(config)
    if not config.distill.teacher:
        way = "tools/train.py trains a model without a teacher; to distil, set it to the teacher's checkpoint directory"
        raise InputError(f"distill.teacher is empty: {way}")
    data = _open_data(config)
    checkpoint = matching_checkpoint(config.distill.teacher, data, "distill.teacher", config.data.any_extractor)
    check_shared(config, checkpoint.config.model)  # now, before the teacher's fragments are written
    with joined() as ranks, _run_directory(config, ranks) as progress:
        teacher = Teacher(config.distill, checkpoint)
        teacher.prepare(data, Path(config.run.dir) / "teacher_fragments", progress.log, ranks)
        if ranks.writes and (cost := teacher.cost(data, config.optim, ranks)):
            progress.log(cost)
        model, linear = _initial_model(config, data, teacher.model, progress, ranks)
        share(config.distill, model, teacher.model)
        targets = None
        if config.distill.vectors:
            if ranks.size > 1 or config.optim.chunk:
                raise InputError("distill.vectors: needs one process and optim.chunk=0; set it to 0, or use these")
            targets = FactorisedTargets(teacher, data, config.model.hidden, config.run.seed, progress.log)
            if model.pooling:
                targets.start(model, data)
        objective = DistillationObjective(config.distill, teacher, targets)
        _conclude(config, fit(config, data, model, objective, progress, resume, ranks), linear, progress)


def _open_data(config: Config) -> TrainingData:
    if not config.run.dir:
        way = "set it to a directory for checkpoints, or name a row of a data set, such as configs/demo.yaml:B"
        raise InputError(f"run.dir is empty: {way}")
    check_shares(config.optim, started()[1])
    Precision(config.amp)  # refuses what the device cannot do, before anything is read or written
    return open_training_data(config.data, config.optim.batch_size)


@contextmanager
def _run_directory(config: Config, ranks: Ranks):
    """Keep other trainings out of ``run.dir``; yields what logs there, in the first of several processes."""
    run_dir = Path(config.run.dir)
    if not ranks.writes:
        yield Silent()
        return
    with locked(run_dir / "lock", run_dir):
        yield Progress(run_dir / "train.log", config.run.log_steps, config.run.visualdl)


def _initial_model(
    config: Config, data: TrainingData, teacher: DualEncoder | None, progress: Progress, ranks: Ranks
) -> tuple[DualEncoder, dict | None]:
    """Return a model with the weights that ``model.init`` names: none, linear, teacher, a checkpoint or a BERT.

    With it, of a linear start: the recalls of the linear model on the images of the validation. Of several processes
    the first one reads or makes these weights: :func:`.trainer.fit` shares them.
    """
    paddle.seed(config.run.seed)
    model = new_model(config, data.tokenizer.vocab_size, data.region_dim)
    init, recalls = config.model.init, None
    if not ranks.writes:
        pass
    elif init == "teacher":
        _copy_weights(model, teacher)
    elif init == "linear":
        bert = config.model.bert
        linear = LinearModel(data, config.model.hidden, partial(piece_vectors, bert) if bert else None)
        linear.start(model)
        seen = data.val.first_images(config.run.val_images)
        recalls = as_json(linear.recalls(data.store, seen), "full", len(seen.split.image_rows), len(seen.ids))
        progress.log(f"linear start, as a model of its own: {describe(recalls)}")
    elif is_checkpoint(init):
        checkpoint = matching_checkpoint(init, data, "model.init", config.data.any_extractor)
        check_start(config.model, checkpoint.config.model)
        _copy_weights(model, checkpoint.load_model())
    elif init != "none":
        progress.log(load_bert(model, init, data.tokenizer.pieces))
    return model, recalls


def _conclude(config: Config, state: RunState, linear: dict | None, progress: Progress) -> None:
    """Log the best epoch and how to measure it, and whether the linear model that it started from is better."""
    best = max(state.history, key=lambda result: result["rsum"])
    measure = as_called(f"python tools/eval.py --checkpoint {shlex.quote(config.run.dir)}")
    progress.log(f"best epoch {best['epoch']} of {config.optim.epochs}: {describe(best)}; on the test split: {measure}")
    if linear and config.optim.epochs and linear["rsum"] > best["rsum"]:
        found = f"the linear model alone had rsum {linear['rsum']:.1f}, the best epoch {best['rsum']:.1f}"
        progress.log(f"{found}: train longer (optim.epochs) or on more pairs")


def _copy_weights(model: DualEncoder, other: DualEncoder) -> None:
    """Start from the weights of ``other``; codes only if it has as many, a match head only if both have one."""
    own = model.state_dict()
    weights = other.state_dict().items()
    fitting = {name: value for name, value in weights if name in own and own[name].shape == value.shape}
    model.set_state_dict({**own, **fitting})


def share(config: DistillConfig, model: DualEncoder, teacher: DualEncoder) -> None:
    """Take the teacher's word embeddings and region projection, and its first codes, frozen (as released)."""
    parts = ["text_embedding", "region_embedding"] if config.share_inputs else []
    parts += ["codes"] if config.share_codes and model.codes else []
    for part in parts:
        layer, given = getattr(model, part), getattr(teacher, part).state_dict()
        for name, parameter in layer.named_parameters():
            if name in given:  # not the weights of codes, where the teacher's have none
                parameter.set_value(given[name][: len(parameter)])
                parameter.stop_gradient = True


def matching_checkpoint(path: str, data: TrainingData, key: str, any_extractor: bool = False) -> Checkpoint:
    """Open the checkpoint that the config's ``key`` names; raises InputError if its inputs are not the data's."""
    checkpoint = open_checkpoint(path, any_extractor)
    tokenizer = checkpoint.tokenizer()
    for what, found, expected in (
        ("vocabulary", tokenizer.fingerprint, data.tokenizer.fingerprint),
        ("data.text_length", tokenizer.length, data.tokenizer.length),
        ("data.first_token", repr(tokenizer.first_token), repr(data.tokenizer.first_token)),
        ("data.last_token", repr(tokenizer.last_token), repr(data.tokenizer.last_token)),
        ("region dimension", checkpoint.state["region_dim"], data.region_dim),
    ):
        if found != expected:
            problem = f"the {what} of {checkpoint.directory} is {found}, the data's is {expected}"
            raise InputError(f"{key}: {problem}; use a model of this data")
    try:
        checkpoint.require_same_extractor(data.store)
    except InputError as error:
        raise InputError(f"{key}: {error}") from None
    return checkpoint


def check_sizes(model: ModelConfig, other: ModelConfig, where: str = "", name: str = "the model") -> None:
    """Raise InputError if ``model`` cannot take the weights of ``other``; ``where`` and ``name`` are for messages."""
    for key in ("hidden", "layers", "heads", "ffn"):
        ours, theirs = getattr(model, key), getattr(other, key)
        if ours != theirs:
            takes = f"{theirs} in {name} whose weights it takes (model.init, distill.share_inputs, distill.share_codes)"
            raise InputError(f"{where}model.{key} is {ours}, but {takes}; they must be equal")


def check_start(model: ModelConfig, other: ModelConfig, where: str = "", name: str = "the model") -> None:
    """Raise InputError if ``model`` cannot start from ``other``: of other sizes, or pooling in another way."""
    check_sizes(model, other, where, name)
    if other.vector not in ("slot", model.vector):
        takes = f"{other.vector} in {name} whose weights it takes (model.init)"
        raise InputError(f"{where}model.vector is {model.vector}, but {takes}; they must be equal")


def check_shared(config: Config, teacher: ModelConfig, where: str = "", name: str = "the teacher") -> None:
    """Raise InputError if a student cannot take what its config says is its teacher's."""
    shares_codes = config.distill.share_codes and config.model.codes > 0
    if config.model.init == "teacher" or config.distill.share_inputs or shares_codes:
        check_sizes(config.model, teacher, where, name)
    if config.model.init == "teacher":
        check_start(config.model, teacher, where, name)
    if shares_codes and config.model.codes > teacher.codes:
        takes = f"{name} whose codes it takes has {teacher.codes}"
        way = "give it as many or fewer, or codes of its own with distill.share_codes=false"
        raise InputError(f"{where}model.codes is {config.model.codes}, but {takes}; {way}")
    if shares_codes and config.model.code_input != teacher.code_input:
        takes = f"{teacher.code_input} in {name} whose codes it takes"
        way = "they must be equal, or distill.share_codes=false"
        raise InputError(f"{where}model.code_input is {config.model.code_input}, but {takes}; {way}")
