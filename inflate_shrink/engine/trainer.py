"""The training loop, the same for training and distilling.

A run can be killed at any moment and resumed to the same final weights: the order of
the samples, the learning rate and the random numbers of a step are functions of the
seed and the step, and everything else is in the checkpoint.
"""

from __future__ import annotations

from pathlib import Path

import paddle

from ..config import NOTHING, RESULT, Config, differences, keys_deciding
from ..data.batches import batches_per_epoch, epoch_batches, prefetch
from ..errors import InputError
from ..model.encoder import DualEncoder
from .checkpoint import discard_unlinked, load_train_state, load_weights, open_checkpoint, point, write_checkpoint
from .evaluate import describe, evaluate
from .objectives import Objective
from .optimizer import build_optimizer, learning_rate
from .precision import Precision
from .progress import Progress, stop_on_signal
from .training_data import TrainingData


def fit(config: Config, data: TrainingData, model: DualEncoder, objective: Objective, progress: Progress, resume: bool) -> None:
    """Minimise ``objective`` over ``config.optim.epochs`` epochs, with checkpoints in ``config.run.dir``.

    Args:
        model: with its initial weights; trained in place.
        resume: go on from RUN/last if there is one. Without it, a run directory that
            holds checkpoints is refused.
    """
    run_dir = Path(config.run.dir)
    state = {"step": 0, "best_rsum": -1.0, "finished": False, "history": [], "data": data.store.fingerprint()}
    precision = Precision(config.amp)
    optimizer = build_optimizer(config.optim, [p for p in model.parameters() if not p.stop_gradient])
    model, optimizer = precision.decorate(model, optimizer)
    if (run_dir / "last").exists():
        state = _restore(config, run_dir, state["data"], model, optimizer, precision, resume)
    else:
        discard_unlinked(run_dir)  # of a run that was killed before its first RUN/last
    if state["finished"]:
        progress.log(f"{run_dir} is finished: nothing to do")
        return

    micro_batches = batches_per_epoch(data.train.split, config.optim.batch_size)
    steps_per_epoch = micro_batches // config.optim.accumulate
    if steps_per_epoch == 0:
        raise InputError(f"optim.accumulate {config.optim.accumulate}: an epoch has only {micro_batches} batches")
    total = steps_per_epoch * config.optim.epochs

    def save(links=("last",)) -> None:
        if not all(paddle.isfinite(parameter).all() for parameter in model.parameters()):
            raise InputError(f"the weights are not finite at step {state['step']}: lower optim.lr or look at the features; the last checkpoint is kept")
        directory = run_dir / f"step-{state['step']:06d}"
        if not directory.exists():  # it may: this run was killed after writing it, and came here again
            train_state = {"optimizer": optimizer.state_dict(), "scaler": precision.scaler.state_dict()}
            write_checkpoint(directory, model, config, data.tokenizer.vocabulary, state, train_state)
        for link in links:
            point(run_dir, link, directory)

    progress.log(objective.describe(config.optim.batch_size))
    if precision.notice:
        progress.log(precision.notice)
    if state["step"]:
        progress.log(f"resuming {run_dir} at step {state['step']} of {total}")
    progress.start(total, state["step"], pairs_per_step=config.optim.batch_size * config.optim.accumulate)
    model.train()
    with stop_on_signal() as stop:
        for epoch in range(state["step"] // steps_per_epoch, config.optim.epochs):
            first = (state["step"] - epoch * steps_per_epoch) * config.optim.accumulate
            batches = prefetch(epoch_batches(data.store, data.train.split, data.train.ids, config.optim.batch_size, config.run.seed, epoch, first))
            end = (epoch + 1) * steps_per_epoch
            while state["step"] < end:
                lr = learning_rate(config.optim, state["step"], steps_per_epoch)
                loss = _update(model, optimizer, objective, precision, config, batches, state["step"], lr)
                state["step"] += 1
                progress.step(loss, lr, epoch)
                if state["step"] < end and (stop.requested or state["step"] % config.run.save_steps == 0):
                    save()
                if state["step"] < end and stop.requested:
                    _interrupt(progress, run_dir, state["step"])
            batches.close()
            state["finished"] = end == total
            best = _validate(config, data, model, state, epoch, progress)
            save(("best", "last") if best else ("last",))  # best first: if killed between, the epoch is repeated
            if stop.requested and not state["finished"]:
                _interrupt(progress, run_dir, state["step"])
    progress.close()


def _update(model, optimizer, objective, precision, config, batches, step, lr) -> paddle.Tensor:
    """One optimizer update from ``accumulate`` batches. Returns the mean loss of a batch, detached."""
    paddle.seed(config.run.seed * 1_000_003 + step)  # dropout of this step, resumed or not
    optimizer.set_lr(lr)
    accumulate, total = config.optim.accumulate, 0.0
    for _ in range(accumulate):
        batch = next(batches)
        loss = objective(model, batch, precision, step)
        precision.scaler.scale(loss.value / accumulate).backward()
        total = total + loss.value.detach() / accumulate + 0 * loss.scores.detach().sum()
    with paddle.utils.unique_name.guard():  # the optimizer names its state at its first step: the same in every process
        precision.scaler.step(optimizer)
    precision.scaler.update()
    optimizer.clear_grad()
    return total


def _validate(config: Config, data: TrainingData, model, state: dict, epoch: int, progress: Progress) -> bool:
    """Validate if it is due; true if the sum of recalls is the highest so far."""
    if (epoch + 1) % config.run.eval_epochs and not state["finished"]:
        return False
    result = evaluate(model, data.store, data.val.first_images(config.run.val_images))
    state["history"].append({"epoch": epoch + 1, "step": state["step"], **result})
    best = result["rsum"] > state["best_rsum"]
    state["best_rsum"] = max(state["best_rsum"], result["rsum"])
    progress.log(f"epoch {epoch + 1}/{config.optim.epochs}: {describe(result)}{' (best so far)' if best else ''}")
    return best


def _interrupt(progress: Progress, run_dir: Path, step: int) -> None:
    progress.close()
    progress.log(f"stopped at step {step}; --resume goes on from {run_dir}/last")
    raise KeyboardInterrupt


def _restore(config: Config, run_dir: Path, data: str, model, optimizer, precision: Precision, resume: bool) -> dict:
    """Fill everything from RUN/last and return its state."""
    if not resume:
        raise InputError(f"{run_dir} already holds a run: --resume goes on with it, -o run.dir=... starts another")
    checkpoint = open_checkpoint(run_dir / "last")
    changed = differences(checkpoint.config, config, ignore=keys_deciding(RESULT, NOTHING))
    if changed:
        raise InputError(f"{run_dir} was started with another config ({'; '.join(changed)}): choose another run.dir")
    if checkpoint.state.get("data") != data:
        raise InputError(f"{run_dir} was started on other data than {config.data.dir} now holds: choose another run.dir")
    load_weights(model, checkpoint.directory)
    states = load_train_state(checkpoint.directory)
    optimizer.set_state_dict(states["optimizer"])
    precision.scaler.load_state_dict(states["scaler"])
    return checkpoint.state
