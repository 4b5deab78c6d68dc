"""The same updates on the CPU in float32 and on a device in every precision: what differs, how fast, in what memory.

For whoever first has a GPU: the models F, B and I and each distillation between them take the same weights and the
same batches, without dropout. What goes wrong in one case is kept with it, and the others go on.
"""

from __future__ import annotations

import gc
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy as np
import paddle

from ..config import AmpConfig, Config, DistillConfig, LossConfig, ModelConfig, OptimConfig, RunConfig
from ..data.batches import Batch
from ..errors import InputError, in_one_line
from . import trainer
from .batch_scores import Execution
from .checkpoint import new_model, open_checkpoint, set_weights, write_checkpoint
from .objectives import DistillationObjective, RankingObjective
from .optimizer import build_optimizer
from .precision import Precision
from .steps import share
from .teacher import Teacher

REFERENCE = AmpConfig("O0", "float32")
PRECISIONS = (REFERENCE, *(AmpConfig(level, dtype) for level in ("O1", "O2") for dtype in ("float16", "bfloat16")))
# A model's keys, and whose scores it learns; "" is no teacher.
CASES = {
    "F": ({"fragments": 1}, ""),
    "B": ({"fragments": 32}, ""),
    "I": ({"codes": 32, "fragments": "all"}, ""),
    "I-B": ({"fragments": 32}, "I"),
    "I-F": ({"fragments": 1}, "I"),
    "B-F": ({"fragments": 1}, "B"),
}
# The most that may differ from float32 on the CPU: of a loss, of all gradients, relative to their size.
ALLOWED = {"float32": (1e-3, 2e-2), "float16": (1e-2, 0.2), "bfloat16": (3e-2, 0.3)}
_LOSS_SCALE = 64.0  # at which nothing overflows: an update that is skipped cannot be compared
_WARM = 2  # updates that do not count for the pace
_TEXT_LENGTH = 32


@dataclass(frozen=True)
class CheckSettings:
    """Sizes of what is trained: those of the paper, but for the updates."""

    updates: int = 8
    batch_size: int = 128
    hidden: int = 768
    layers: int = 3
    heads: int = 12
    ffn: int = 3072
    words: int = 30522  # of the vocabulary
    regions: int = 32
    region_dim: int = 2048
    cases: tuple[str, ...] = tuple(CASES)


class Outcome(NamedTuple):
    """What some updates gave. Weights are those after the last one, gradients those of the first batch."""

    losses: np.ndarray
    gradients: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    seconds: float  # of an update, the median
    mebibytes: float  # the most memory of a GPU; NaN on the CPU


class Row(NamedTuple):
    """One case in one precision beside float32 on the CPU; of a case that failed only ``problem`` counts.

    ``loss``, ``gradient``: the largest relative difference. ``moved``: the difference of the weights, relative to how
    far training moved them. ``differing``: parameters whose bits are others when all is done once more.
    """

    case: str
    level: str
    dtype: str
    problem: str = ""
    loss: float = np.nan
    gradient: float = np.nan
    moved: float = np.nan
    pairs_per_second: float = np.nan
    times_the_cpu: float = np.nan
    mebibytes: float = np.nan
    differing: tuple[str, ...] = ()


def require_device(device: str) -> None:
    """Raise InputError if there is no such device, "gpu" or "cpu", for Paddle."""
    if device == "gpu" and not (paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count()):
        way = "--device cpu tries the command itself on the CPU"
        raise InputError(f"no GPU here, or a Paddle without CUDA: nothing was checked; {way}")


def check_training(settings: CheckSettings, device: str, place: Path) -> Iterator[Row]:
    """Yield a row for each case and precision; on the CPU those of paddle.amp cannot run, and say so.

    Args:
        device: of Paddle, "gpu" or "cpu".
        place: an existing directory for the teachers' checkpoints.
    """
    batches = list(_batches(settings))
    for case in settings.cases:
        try:
            with _on("cpu"):
                start, teacher = _start(case, settings, place)
                reference = _train(case, REFERENCE, settings, batches, start, teacher)
        except Exception as error:  # whatever a build of Paddle raises: the next case may work
            yield Row(case, "O0", "float32", f"on the CPU: {_problem(error)}")
            continue
        for amp in PRECISIONS:
            try:
                with _on(device):
                    twice = [_train(case, amp, settings, batches, start, teacher) for _ in range(2)]
                yield _compared(case, amp, settings, reference, start, *twice)
            except Exception as error:
                yield Row(case, amp.level, amp.dtype, _problem(error))


def _compared(case, amp, settings: CheckSettings, reference: Outcome, start, found: Outcome, again: Outcome) -> Row:
    loss = np.abs(found.losses - reference.losses) / np.abs(reference.losses)
    gradient = _distance(found.gradients, reference.gradients) / _distance(reference.gradients)
    trained = {name: start[name] for name in reference.gradients}  # the others are frozen
    moved = _distance(found.weights, reference.weights, trained) / _distance(reference.weights, start, trained)
    differing = [name for name in found.weights if found.weights[name].tobytes() != again.weights[name].tobytes()]
    allowed, problem = ALLOWED[amp.dtype], ""
    if not (loss.max() <= allowed[0] and gradient <= allowed[1]):  # NaN neither
        problem = f"differs from float32 on the CPU: {allowed[0]:g} of a loss and {allowed[1]:g} of gradients may be"
    pace = settings.batch_size / found.seconds, reference.seconds / found.seconds
    return Row(
        case,
        amp.level,
        amp.dtype,
        problem,
        float(loss.max()),
        gradient,
        moved,
        *pace,
        found.mebibytes,
        tuple(differing),
    )


def _distance(ours: dict, theirs: dict | None = None, names=None) -> float:
    """Return the norm of the difference of all arrays, or of ``ours`` alone."""
    parts = (ours[name] - theirs[name] if theirs else ours[name] for name in names or ours)
    return float(np.sqrt(sum(float((part.astype(np.float64) ** 2).sum()) for part in parts)))


def _config(case: str, amp: AmpConfig, settings: CheckSettings, teacher: Path | None) -> Config:
    sizes = {name: getattr(settings, name) for name in ("hidden", "layers", "heads", "ffn")}
    return Config(
        name=case,
        model=ModelConfig(**{"dropout": 0.0, **sizes, **CASES[case][0]}),
        loss=LossConfig(ranking="sum", margin=0.2),
        distill=DistillConfig(teacher=str(teacher or ""), cache_gb=0.0),
        optim=OptimConfig(batch_size=settings.batch_size, schedule="constant"),
        amp=AmpConfig() if amp == REFERENCE else amp,
        run=RunConfig(log_steps=10**9),
    )


def _start(case: str, settings: CheckSettings, place: Path) -> tuple[dict, Path | None]:
    """Return the weights that a case begins with, and where its teacher is."""
    teacher = CASES[case][1]
    directory = place / teacher if teacher else None
    if directory and not directory.exists():
        config = _config(teacher, REFERENCE, settings, None)
        write_checkpoint(directory, _fresh(teacher, config, settings), config, None, {})
    return _numbers(_fresh(case, _config(case, REFERENCE, settings, directory), settings).state_dict()), directory


def _fresh(case: str, config: Config, settings: CheckSettings):
    paddle.seed(1 + list(CASES).index(case))
    return new_model(config, settings.words, settings.region_dim)


def _train(
    case: str, amp: AmpConfig, settings: CheckSettings, batches: list[Batch], start: dict, teacher: Path | None
) -> Outcome:
    """Make the updates on the current device; raises whatever goes wrong."""
    config = _config(case, amp, settings, teacher)
    precision = Precision(config.amp)
    if precision.notice:
        raise InputError(precision.notice)
    if precision.scaler.is_enable():
        precision.restore({**precision.scaler.state_dict(), "scale": np.array([_LOSS_SCALE], "float32")})
    model = new_model(config, settings.words, settings.region_dim)
    set_weights(model, start)
    model.train()
    objective = RankingObjective(config.loss)
    if teacher:
        teaching = Teacher(config.distill, open_checkpoint(teacher))
        share(config.distill, model, teaching.model)
        objective = DistillationObjective(config.distill, teaching)
    optimizer = build_optimizer(config.optim, [p for p in model.parameters() if not p.stop_gradient])
    execution = Execution(precision)
    _forget_memory()
    gradients = _gradients(model, objective, execution, batches[0])
    losses, seconds = [], []
    for step, batch in enumerate(batches):
        begin = time.perf_counter()
        update = trainer.make_update(
            model, optimizer, objective, execution, config, iter([batch]), step, config.optim.lr
        )
        losses.append(float(update.loss))  # waits for the device
        seconds.append(time.perf_counter() - begin)
        if update.skipped:
            raise InputError(
                f"update {step + 1} is skipped: a gradient is not finite at a loss scale of {_LOSS_SCALE:g}"
            )
    pace = float(np.median(seconds[min(_WARM, len(seconds) - 1) :]))
    return Outcome(np.array(losses), gradients, _numbers(model.state_dict()), pace, _most_memory())


def _gradients(model, objective, execution: Execution, batch: Batch) -> dict[str, np.ndarray]:
    precision = execution.precision
    loss = objective(precision.network(model), batch, execution, 0)
    precision.backward(loss.value, model)
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.grad is not None]
    found = {name: parameter.grad.numpy() / precision.loss_scale for name, parameter in trained}
    for parameter in model.parameters():
        parameter.clear_gradient()
    return found


def _batches(settings: CheckSettings) -> Iterator[Batch]:
    """Yield random pairs; a fifth of the captions tell of an image that has another one in the batch."""
    random, n = np.random.default_rng(0), settings.batch_size
    features = np.maximum(random.standard_normal((n, settings.regions, settings.region_dim)), 0).astype(np.float32)
    for _ in range(settings.updates):
        ids = random.integers(5, settings.words, (n, _TEXT_LENGTH))
        ids[np.arange(_TEXT_LENGTH) >= random.integers(5, _TEXT_LENGTH + 1, n)[:, None]] = 0
        images = np.where(random.random(n) < 0.2, random.integers(0, n, n), random.permutation(n))
        counts = np.full(n, settings.regions, np.int32)
        yield Batch(ids, features[images], counts, np.arange(n), images, np.zeros(n, bool))


class _on:
    """A block that runs on a device of Paddle; memory of what it made is free afterwards."""

    def __init__(self, device: str):
        self.device = device

    def __enter__(self):
        self.before = paddle.device.get_device()
        paddle.set_device(self.device)

    def __exit__(self, *_error):
        gc.collect()
        with suppress(Exception):
            paddle.device.cuda.empty_cache()
        paddle.set_device(self.before)


def _numbers(state: dict) -> dict[str, np.ndarray]:
    return {name: value.astype("float32").numpy() for name, value in state.items()}


def _problem(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {in_one_line(error)}"


def _forget_memory() -> None:
    """Let the most memory be counted anew, where Paddle can: 2.6.2 and later, on a GPU."""
    with suppress(Exception):
        paddle.device.cuda.reset_max_memory_allocated()


def _most_memory() -> float:
    on_gpu = paddle.device.get_device().startswith("gpu")
    return paddle.device.cuda.max_memory_allocated() / 2**20 if on_gpu else float("nan")
