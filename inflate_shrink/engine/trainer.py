"""The training loop, the same for training and distilling.

A run can be killed at any moment and resumed to the same final weights: the order of
the samples, the learning rate and the random numbers of an update are functions of the
seed and its number, and everything else is in the checkpoint.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy as np
import paddle

from ..config import NOTHING, RESULT, Config, differences, in_effect, keys_deciding
from ..data.batches import Batch, batches_per_epoch, epoch_batches, prefetch
from ..data.tokenized import TrainingData
from ..errors import InputError
from ..model.encoder import DualEncoder
from ..signals import stop_on_signal
from .batch_scores import Execution
from .checkpoint import discard_unlinked, drop_damaged, open_newest, point, set_weights, write_checkpoint
from .divergence import Divergence
from .evaluate import describe, evaluate
from .objectives import Objective
from .optimizer import build_optimizer, learning_rate
from .photos import describing
from .precision import Precision
from .progress import Progress
from .ranks import ALONE, Ranks
from .run_dir import refuse_second_run


@dataclass
class RunState:
    """How far a run has come: what ``state.json`` of its checkpoints says."""

    step: int = 0  # updates done
    best_rsum: float = -1.0  # the highest of all validations
    finished: bool = False
    history: list[dict] = field(default_factory=list)  # a result for each validation
    data: str = ""  # fingerprint of the data set
    ranks: int = 1  # processes that shared its batches last
    skipped: int = 0  # updates that changed nothing, since a float16 gradient was not finite


class Update(NamedTuple):
    """What an update was made of, and whether it changed the weights."""

    loss: paddle.Tensor  # as :meth:`.objectives.Loss.to_log` has it, the mean over its batches
    captions: np.ndarray  # of all its batches, their numbers in the split
    skipped: bool
    gradient_norm: paddle.Tensor | None  # before clipping; None where no line of the log is due


def fit(
    config: Config,
    data: TrainingData,
    model: DualEncoder,
    objective: Objective,
    progress: Progress,
    resume: bool,
    ranks: Ranks = ALONE,
) -> RunState:
    """Minimise ``objective`` over ``config.optim.epochs`` epochs, with checkpoints in ``config.run.dir``.

    Returns how far the run is, which is to its end. Of 0 epochs the start is kept, as a finished checkpoint.

    Args:
        model: with its initial weights; trained in place.
        resume: go on from RUN/last if there is one, or from the checkpoint before where it is damaged. Without
            it, a run directory that holds checkpoints is refused.
        ranks: the processes that share its batches: all make the same updates and validations, the first one writes.

    Raises:
        InputError: another config or other data than the run was started with, another number of processes in the
            middle of an epoch, a disk that is full, or a loss or weights that are not finite, with the update.
        KeyboardInterrupt: after SIGINT or SIGTERM, when the checkpoint is written.
    """
    # 1. The model in its precision, and its optimizer.
    run_dir = Path(config.run.dir)
    refuse_second_run(run_dir, resume)
    precision = Precision(config.amp)
    optimizer = build_optimizer(config.optim, [p for p in model.parameters() if not p.stop_gradient])
    execution = Execution(precision, ranks, config.optim.chunk)

    # 2. Where the run stands: at its beginning, or at its last checkpoint.
    state = RunState(data=data.store.fingerprint())
    if (run_dir / "last").is_symlink():  # true of one whose checkpoint is lost, too
        state = _restore(config, run_dir, state.data, model, optimizer, execution, progress)
    elif ranks.writes:
        discard_unlinked(run_dir)  # what a run left that was killed before its first RUN/last
    ranks.require_same(state.step, "updates done")
    ranks.share(model.state_dict().values())
    if state.finished:
        progress.log(f"{run_dir} is finished: nothing to do")
        return state

    # 3. How far it goes.
    updates_per_epoch = _updates_per_epoch(config, data)
    total = updates_per_epoch * config.optim.epochs
    if state.step % updates_per_epoch and state.ranks != ranks.size:
        way = f"resume with {state.ranks}; another number may go on from an epoch's end"
        raise InputError(
            f"{run_dir} stands in the middle of an epoch, which processes: {state.ranks} began, not {ranks.size}: {way}"
        )
    state.ranks = ranks.size
    divergence = Divergence(run_dir, data.train)

    def save(*links: str) -> None:
        divergence.check_weights(model.parameters(), state.step)
        if ranks.writes:
            _save(run_dir, model, config, data, state, optimizer, precision, links)
        ranks.meet()

    def end_epoch(done: int) -> None:
        divergence.check()
        state.finished = done == config.optim.epochs
        best = _validate(config, data, model, state, done, progress)
        save(*(("best", "last") if best else ("last",)))  # best first: if killed between, the epoch is repeated

    # 4. What its log begins with.
    progress.log(objective.describe(config.optim.batch_size))
    if precision.notice:
        progress.log(precision.notice)
    if state.step:
        progress.log(f"resuming {run_dir} at update {state.step} of {total}")
    pairs, validations = (
        config.optim.batch_size * config.optim.accumulate,
        _validations(config, state, updates_per_epoch),
    )
    progress.start(total, state.step, pairs, validations)

    # 5. The epochs that are left.
    model.train()
    with stop_on_signal() as stop:
        if not total:
            end_epoch(0)
        for epoch in range(state.step // updates_per_epoch, config.optim.epochs):
            end = (epoch + 1) * updates_per_epoch

            # 5.1 Its batches, made ahead, from where the run stands.
            first = (state.step - epoch * updates_per_epoch) * config.optim.accumulate
            size, seed, together = config.optim.batch_size, config.run.seed, config.data.captions_together
            own = ranks.rank, ranks.size
            batches = prefetch(
                epoch_batches(data.store, data.train, size, seed, epoch, first, data.mirrored, *own, together)
            )

            # 5.2 Updates, with a checkpoint now and then.
            while state.step < end:
                lr = learning_rate(config.optim, state.step, updates_per_epoch)
                update = make_update(model, optimizer, objective, execution, config, batches, state.step, lr)
                state.step += 1
                state.skipped += update.skipped
                divergence.add(state.step, update.loss, update.captions, precision.loss_scale)
                if state.step % config.run.log_steps == 0 or state.step == total:
                    divergence.check()
                scale = precision.loss_scale if precision.scaler.is_enable() else None
                progress.step(update.loss, lr, epoch, state.skipped, update.gradient_norm, scale)
                stopping = ranks.stop(stop.requested, state.step)
                if state.step < end and (stopping or state.step % config.run.save_steps == 0):
                    save("last")
                if state.step < end and stopping:
                    _interrupt(progress, run_dir, state.step)
            batches.close()

            # 5.3 Validation, and the checkpoint of the epoch.
            end_epoch(epoch + 1)
            if ranks.stop(stop.requested, 0) and not state.finished:
                _interrupt(progress, run_dir, state.step)
    progress.close()
    return state


def _updates_per_epoch(config: Config, data: TrainingData) -> int:
    """Count the updates of an epoch; raises InputError if its batches are too few for one."""
    batches = batches_per_epoch(data.train, config.optim.batch_size)
    if batches < config.optim.accumulate:
        raise InputError(f"optim.accumulate {config.optim.accumulate}: an epoch has only {batches} batches")
    return batches // config.optim.accumulate


def _validations(config: Config, state: RunState, updates_per_epoch: int) -> int:
    """Count the validations that are left."""
    epochs, every = config.optim.epochs, config.run.eval_epochs
    done = state.step // updates_per_epoch
    return sum(epoch % every == 0 or epoch == epochs for epoch in range(done + 1, epochs + 1))


def make_update(
    model: DualEncoder,
    optimizer,
    objective: Objective,
    execution: Execution,
    config: Config,
    batches: Iterator[Batch],
    step: int,
    lr: float,
) -> Update:
    """Change the weights once, by ``accumulate`` batches."""
    precision, ranks = execution.precision, execution.ranks
    network = precision.network(model)  # before the seed: to make it may draw numbers
    paddle.seed(ranks.seed(config.run.seed * 1_000_003 + step))  # dropout of this update, resumed or not
    optimizer.set_lr(lr)
    accumulate, total, captions = config.optim.accumulate, 0.0, []
    for _ in range(accumulate):
        batch = next(batches)
        loss = objective(network, batch, execution, step)
        precision.backward(loss.value / accumulate, model)
        total = total + loss.to_log() / accumulate
        captions.append(batch.captions)
    ranks.sum_gradients(model.parameters())
    logged = (step + 1) % config.run.log_steps == 0
    norm = _gradient_norm(model) / precision.loss_scale if logged else None
    stepped = precision.step(optimizer)
    optimizer.clear_grad()
    return Update(total, np.concatenate(captions), not stepped, norm)


def _gradient_norm(model: DualEncoder) -> paddle.Tensor:
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return paddle.add_n([(gradient.astype("float32") ** 2).sum() for gradient in gradients]).sqrt()


def _validate(
    config: Config, data: TrainingData, model: DualEncoder, state: RunState, epochs: int, progress: Progress
) -> bool:
    """Validate after so many epochs if it is due; returns whether the sum of recalls is the highest so far."""
    if epochs % config.run.eval_epochs and not state.finished:
        return False
    with progress.validation():
        result = evaluate(model, data.store, data.val.first_images(config.run.val_images))
    progress.validated(epochs, result)
    state.history.append({"epoch": epochs, "step": state.step, **result})
    best = result["rsum"] > state.best_rsum
    state.best_rsum = max(state.best_rsum, result["rsum"])
    progress.log(f"epoch {epochs}/{config.optim.epochs}: {describe(result)}{' (best so far)' if best else ''}")
    return best


def _save(
    run_dir: Path,
    model,
    config: Config,
    data: TrainingData,
    state: RunState,
    optimizer,
    precision: Precision,
    links: tuple[str, ...],
) -> None:
    """Write a checkpoint and let the links name it."""
    directory = run_dir / f"step-{state.step:06d}"
    if not directory.exists():  # it may: this run was killed after writing it, and came here again
        described = {**asdict(state), "regions": describing(data.store)}
        train_state = {"optimizer": optimizer.state_dict(), "scaler": precision.scaler.state_dict()}
        write_checkpoint(directory, model, config, data.tokenizer.vocabulary, described, train_state)
    for link in links:
        point(run_dir, link, directory)


def _interrupt(progress: Progress, run_dir: Path, step: int) -> None:
    progress.close()
    progress.log(f"stopped at update {step}; --resume goes on from {run_dir}/last")
    raise KeyboardInterrupt


def _restore(
    config: Config, run_dir: Path, data: str, model, optimizer, execution: Execution, progress: Progress
) -> RunState:
    """Fill everything from RUN/last, or the newest checkpoint that is not damaged; returns its state."""
    found = open_newest(run_dir)
    execution.ranks.meet()  # all have read it: damaged ones may go
    checkpoint = found.checkpoint
    changed = differences(in_effect(checkpoint.config), in_effect(config), ignore=keys_deciding(RESULT, NOTHING))
    if changed:
        raise InputError(f"{run_dir} was started with another config ({'; '.join(changed)}): choose another run.dir")
    if checkpoint.state.get("data") != data:
        problem = f"was started on other data than {config.data.dir} now holds"
        raise InputError(f"{run_dir} {problem}: choose another run.dir")
    if found.damaged:
        progress.log(f"{found.damaged['last']}: going on from {checkpoint.directory} instead")
        if execution.ranks.writes:
            drop_damaged(run_dir, found)
    set_weights(model, found.weights)
    optimizer.set_state_dict(found.training["optimizer"])
    execution.precision.restore(found.training["scaler"])
    return RunState(**{key.name: checkpoint.state.get(key.name, key.default) for key in fields(RunState)})
