"""What a pipeline will cost: an estimate from the arithmetic of its models, for this machine and for a V100."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import paddle

from ..config import Config
from ..data.demo.build import FEATURES
from ..data.demo.spec import DemoSpec
from ..data.store import open_store
from ..engine.checkpoint import is_checkpoint, open_checkpoint
from ..formatting import text_table
from ..model.multiply_adds import interactions, transformer
from .plan import Step, is_finished
from .result import finished_result

PROBE_SIZE = 512  # sides of the matrices that are multiplied where no finished step tells the speed
EFFICIENCY = 0.25  # speed of training as a share of those products'
# Multiply-adds a second by its data sheet: float32, and its tensor cores for amp.
V100 = {
    "O0": 7.85e12,
    "O1": 62.5e12,
    "O2": 62.5e12,
}
BACKWARD = 3  # a forward and a backward pass cost so many forward passes


def describe_plan(steps: list[Step], lanes: int) -> str:
    """Return the steps with what each will cost, as a table. Of data that is not there the sizes are the paper's, if
    it is the paper's."""
    sizes = {step.config.data.dir: data_sizes(step.config) for step in steps}
    lines = [
        f"{place}: not there, reckoned with {name}'s {size.images} images"
        for place, (size, name) in sizes.items()
        if name
    ]
    by_directory = {step.directory: step for step in steps}
    trained = [step for step in steps if step.tool != "rerank"]
    teachers = {step.directory: _teacher(step, by_directory) for step in trained}
    amounts = {
        step.directory: multiply_adds(step, sizes[step.config.data.dir][0], teachers[step.directory])
        for step in trained
    }
    pace, source = speed(amounts, steps[0].threads)
    rows = [("step", "codes", "fragments", "pairs", "estimate", "disk", "")]
    left = v100 = 0.0
    for step in steps:
        if step.tool == "rerank":
            rows.append((step.label, "", "", "", "", "", f"{_state(step)}: rerank"))
            continue
        config, teacher = step.config, teachers[step.directory]
        size, _ = sizes[config.data.dir]
        seconds = amounts[step.directory] / pace
        if not is_finished(step):
            left += seconds
            v100 += amounts[step.directory] / (EFFICIENCY * V100[config.amp.level])
        disk = f"{fragment_bytes(teacher, size) / 2**20:.0f} MB" if teacher else ""
        shape = config.model.codes, _fragments(config), config.optim.epochs * size.captions
        what = f"distil from {teacher.name}" if teacher else "train"
        rows.append((step.label, *shape, _duration(seconds), disk, f"{_state(step)}: {what}"))
    lines.append(text_table("{:<34}{:>6}{:>10}{:>10}{:>10}{:>9}  {:<10}", rows))
    lines.append(
        f"left: about {_duration(left / lanes)} with {lanes} steps at a time, an estimate from {source}; "
        "disk is that of teachers' fragments"
    )
    lines.append(
        f"on a V100, one after the other: about {_duration(v100)}, from {EFFICIENCY:.0%} of its data sheet; "
        "not measured"
    )
    return "\n".join(lines)


class DataSizes(NamedTuple):
    """Sizes of a data set."""

    captions: int
    images: int
    regions: int
    region_dim: int


# The training splits of the paper's data (Karpathy's; Sec. 5.1, five captions an image) and of the demo's, by their
# names in configs.
SIZES = {
    "flickr30k": DataSizes(5 * 29_000, 29_000, 32, 2048),
    "coco": DataSizes(5 * 113_287, 113_287, 32, 2048),
    "demo": DataSizes(DemoSpec.captions * DemoSpec.train, DemoSpec.train, 32, FEATURES + DemoSpec.distractors),
}
ASSUMED = "flickr30k"  # the sizes of data that is neither there nor among these


def data_sizes(config: Config) -> tuple[DataSizes, str]:
    """Return the sizes of a config's data; where its directory is not there, those of SIZES, with the name of what
    they belong to."""
    if not Path(config.data.dir).exists():
        name = config.data.name if config.data.name in SIZES else ASSUMED
        return SIZES[name], name
    store = open_store(config.data.dir)
    split = store.split(config.data.train_split)
    return DataSizes(len(split.captions), len(split.image_rows), *store.regions.shape[1:]), ""


def multiply_adds(step: Step, sizes: DataSizes, teacher: Config | None) -> float:
    """Count the multiply-adds of a whole training or distillation."""
    config = step.config
    each = BACKWARD * _pair(config, sizes)
    if teacher and teacher.model.scoring == "cross":  # it scores every pair of a batch
        each += config.optim.batch_size * _cross(teacher, sizes)
    elif teacher:  # its fragments are made once
        each += _score(teacher, config.optim.batch_size)
    return config.optim.epochs * sizes.captions * each


def fragment_bytes(teacher: Config, sizes: DataSizes) -> int:
    """Return the bytes on disk of a teacher's fragments (float16)."""
    if teacher.model.scoring == "cross":
        return 0
    return 2 * teacher.model.hidden * _fragments(teacher) * (sizes.captions + sizes.images)


def speed(known: dict[Path, float], threads: int) -> tuple[float, str]:
    """Return the multiply-adds a second of a step of so many threads, and where the number is from.

    Args:
        known: directory of a step -> its multiply-adds.
    """
    results = ((amount, finished_result(directory)) for directory, amount in known.items())
    measured = [
        amount / result["training"]["seconds"]
        for amount, result in results
        if amount and result and result["training"].get("seconds")
    ]
    if measured:
        return median(measured), f"the speed of {len(measured)} finished steps"
    return EFFICIENCY * _probe() * min(
        1.0, threads / len(os.sched_getaffinity(0))
    ), f"{EFFICIENCY:.0%} of this machine's speed at products of matrices"


def _teacher(step: Step, steps: dict[Path, Step]) -> Config | None:
    source = step.config.distill.teacher
    if not source:
        return None
    return steps[Path(source)].config if Path(source) in steps else open_checkpoint(source).config


def _state(step: Step) -> str:
    if is_finished(step):
        return "finished"
    if is_checkpoint(step.directory):
        return f"resumes at update {open_checkpoint(step.directory / 'last').state['step']}"
    return "to run"


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.1f} min"


def _pair(config: Config, sizes: DataSizes) -> float:
    """Count the multiply-adds of a caption with its image in a batch, forward."""
    regions = sizes.regions * sizes.region_dim * config.model.hidden
    candidates = config.optim.batch_size - 1 if config.loss.candidates == "all" else config.loss.candidates
    cross = regions + (candidates / BACKWARD + 3) * _cross(config, sizes)  # candidates have no backward pass
    if config.model.scoring == "cross":
        return cross
    text, image = (_encoder(config, length + config.model.codes) for length in (config.data.text_length, sizes.regions))
    dual = regions + text + image + _score(config, config.optim.batch_size)
    return (dual + cross) / 2 if config.model.joint else dual


def _cross(config: Config, sizes: DataSizes) -> float:
    return _encoder(config, config.data.text_length + sizes.regions)


def _encoder(config: Config, length: int) -> float:
    model = config.model
    return transformer(length, model.hidden, model.layers, model.ffn)


def _score(config: Config, batch_size: int) -> float:
    return batch_size * interactions(_fragments(config), config.model.hidden)


def _fragments(config: Config) -> int:
    return config.model.fragments_of(config.data.text_length)


def _probe() -> float:
    """Measure the multiply-adds a second of float32 products."""
    matrix, done, start = paddle.ones([PROBE_SIZE, PROBE_SIZE]), 0, time.perf_counter()
    while time.perf_counter() - start < 0.5:
        paddle.matmul(matrix, matrix).numpy()  # waits for the device
        done += PROBE_SIZE**3
    return done / (time.perf_counter() - start)
