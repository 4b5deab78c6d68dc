"""Loading training batches, beside the training updates they are for."""

from __future__ import annotations

import time
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import Callable, Iterator

import numpy as np

from inflate_shrink.config import Config, config_from_dict
from inflate_shrink.data.batches import Batch, epoch_batches, prefetch
from inflate_shrink.data.store import open_store
from inflate_shrink.data.tokenized import TokenizedSplit
from inflate_shrink.data.writer import StoreWriter

from .environment import workspace
from .table import Row, format_section

# The smallest take the fewest milliseconds an update, so they ask most of the loader; F: no codes, one fragment.
MODELS = {
    "demo": dict(hidden=64, layers=3, heads=2, ffn=128, dropout=0.0, codes=0, fragments=1),
    "flickr8k": dict(hidden=128, layers=3, heads=4, ffn=256, dropout=0.1, codes=0, fragments=1),
}
TEXT_LENGTH = 32
VOCABULARY = 8000
_WARM_UP = 2  # batches and updates before the clock starts
_IN_MEMORY = 4  # batches that the updates take in turn


def measure_loader(
    batches: int = 30,
    steps: int = 15,
    seed: int = 0,
    *,
    images: int = 320,
    regions: int = 32,
    dimension: int = 2048,
    batch_size: int = 128,
) -> dict:
    """Measure batches per second of a data set on disk, and training updates per second on such batches in memory.

    The data set is fresh, so the system has its file in memory. An update is whole, as in training: both
    sides encoded, late interaction, ranking loss, gradients, AdamW; on Paddle's default device with all its cores.

    Args:
        batches, steps: how many are timed, of each model.
        images: of the data set, five captions each; a float16 block (regions, dimension) each.

    Returns:
        ``batches_per_second``; ``models``: name -> ``steps_per_second`` and ``loader_ratio``, batches by updates
        per second; ``device``; the arguments.
    """
    import paddle

    with workspace() as directory:
        write_store(directory / "store", images, regions, dimension, seed)
        with closing(_batches(directory / "store", batch_size, seed)) as loaded:
            in_memory = list(islice(loaded, _IN_MEMORY))
            batches_per_second = _rate(lambda number: next(loaded), batches)
    models = {}
    for name, sizes in MODELS.items():
        update = training_update(config_from_dict({"recipe": "released", "model": sizes}, "benchmark"), dimension)
        steps_per_second = _rate(lambda number: update(in_memory[number % len(in_memory)]), steps)
        ratio = batches_per_second / steps_per_second
        models[name] = {"hidden": sizes["hidden"], "steps_per_second": steps_per_second, "loader_ratio": ratio}
    return {
        "images": images,
        "regions": regions,
        "dimension": dimension,
        "batch_size": batch_size,
        "batches": batches,
        "steps": steps,
        "device": paddle.device.get_device(),
        "batches_per_second": batches_per_second,
        "models": models,
    }


def write_store(directory: Path, images: int, regions: int, dimension: int, seed: int) -> None:
    """Write a data set of random regions, all of them valid, with five captions an image in the split ``train``."""
    generator = np.random.default_rng(seed)
    with StoreWriter(
        directory, name="benchmark", made_by="tools/benchmark.py", seed=seed, regions=regions, dimension=dimension
    ) as writer:
        for number in range(images):
            features = generator.random((regions, dimension), np.float32)
            writer.add_image(str(number), 640, 480, "", features, np.tile(np.float32([0, 0, 640, 480]), (regions, 1)))
            for caption in range(5):
                writer.add_caption("train", str(number), f"caption {caption} of image {number}")


def training_update(config: Config, dimension: int) -> Callable[[Batch], float]:
    """Return a function that updates a new model of ``config`` by one batch and returns the loss."""
    import paddle

    from inflate_shrink.engine.batch_scores import Execution
    from inflate_shrink.engine.checkpoint import new_model
    from inflate_shrink.engine.objectives import RankingObjective
    from inflate_shrink.engine.optimizer import build_optimizer
    from inflate_shrink.engine.precision import Precision

    paddle.seed(config.run.seed)
    model, objective = new_model(config, VOCABULARY, dimension), RankingObjective(config.loss)
    execution = Execution(Precision(config.amp))
    optimizer = build_optimizer(config.optim, model.parameters())
    model.train()

    def update(batch: Batch) -> float:
        loss = objective(model, batch, execution, 0).value
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        return float(loss)  # waits for the device

    return update


def loader_section(found: dict) -> str:
    """Return what :func:`measure_loader` found as text."""
    title = (
        "loader: batches of {batch_size} pairs, {regions} regions, D = {dimension}, "
        "float16 on disk (in the system's memory); updates on {device}".format(**found)
    )
    rows = [Row("loading, one thread ahead", found["batches_per_second"], "batches/s")]
    for name, model in found["models"].items():
        rows.append(Row(f"training F of {name} size, hidden {model['hidden']}", model["steps_per_second"], "updates/s"))
        rows.append(
            Row("  loading / training", model["loader_ratio"], "times (above 1: training does not wait for data)")
        )
    return format_section(title, rows)


def _batches(directory: Path, batch_size: int, seed: int) -> Iterator[Batch]:
    """Yield batches of epoch after epoch without end, loaded ahead as in training; captions are random words."""
    store = open_store(directory)
    split = store.split("train")
    generator = np.random.default_rng(seed)
    ids = generator.integers(1, VOCABULARY, (len(split.captions), TEXT_LENGTH))
    ids[np.arange(TEXT_LENGTH) >= generator.integers(8, 24, (len(ids), 1))] = 0  # padding
    data = TokenizedSplit(split, ids)
    return prefetch(batch for epoch in count() for batch in epoch_batches(store, data, batch_size, seed, epoch))


def _rate(call: Callable[[int], object], repeats: int) -> float:
    """Measure calls per second; each gets its number."""
    for number in range(_WARM_UP):  # chooses kernels; empties what was loaded ahead
        call(number)
    start = time.perf_counter()
    for number in range(repeats):
        call(number)
    return repeats / (time.perf_counter() - start)
