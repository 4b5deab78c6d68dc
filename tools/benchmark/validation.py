"""Peak memory of a validation, ``engine.evaluate``, of a drawn split: ``python -m benchmark.validation JSON``.

A process of its own measures one model. Late interaction of all pairs would take hours, so only the last images and
captions are encoded, and some of these scored: all fragments and scores are resident by then, as in a whole validation.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Callable

import numpy as np

from inflate_shrink.errors import InputError

from .environment import describe_environment, environment, new_process
from .search.memory import resident
from .table import Row, format_section

REGIONS, DIMENSION, WORDS, VOCABULARY = 32, 2048, 32, 30522  # as the paper's


@dataclass(frozen=True)
class ValidationBenchmark:
    """What is validated: a split of ``images`` and ``captions``, by a model for each number of ``codes``.

    hidden: width of the models. scored: captions that are scored of each of the last two batches.
    """

    images: int = 5000
    captions: int = 25000
    codes: tuple[int, ...] = (32, 96)
    hidden: int = 768
    scored: int = 8
    seed: int = 0

    def __post_init__(self):
        least = {"images": 1, "captions": self.images, "codes": 0, "hidden": 1, "scored": 1, "seed": 0}
        for option, lowest in least.items():
            value = min(self.codes) if option == "codes" else getattr(self, option)
            if value < lowest:
                raise InputError(f"--{option} must be {lowest} or more, found {value}")


def measure_validation(amount: ValidationBenchmark, show: Callable[[str], None] = print) -> dict:
    """Measure a model for each number of codes in a process each, and hand the result to ``show``, as text.

    Returns:
        ``environment``, the numbers of ``amount``, and ``models``: for each ``codes``, ``before_mib`` resident before
        ``evaluate``, ``peak_mib`` at most until its end, ``added_mib`` between them, and its ``seconds``.

    Raises:
        InputError: a process fails, as where memory is short.
    """
    result: dict = {"environment": environment(), **asdict(amount), "models": []}
    show(describe_environment(result["environment"]))
    for codes in amount.codes:
        given = json.dumps(asdict(replace(amount, codes=(codes,))))
        done = subprocess.run(
            [sys.executable, "-m", __name__, given], stdout=subprocess.PIPE, text=True, **new_process()
        )
        if done.returncode:
            raise InputError(
                f"the validation with {codes} codes failed (exit code {done.returncode}); was memory short?"
            )
        result["models"].append({"codes": codes, **json.loads(done.stdout)})
    show(f"\n{validation_section(result)}")
    return result


def validation_section(found: dict) -> str:
    """Return what was found, a row for each number of codes, as text."""
    title = (
        "validation: peak resident memory of evaluate, {images} drawn images, {captions} captions, d = {hidden}, "
        "one layer; only the last two batches are encoded, and {scored} captions of each scored; without the data "
        "set's file"
    ).format(**found)
    rows = []
    for one in found["models"]:
        remark = f"MiB over the {one['before_mib']:.0f} before, {one['peak_mib']:.0f} in all ({one['seconds']:.0f} s)"
        rows.append(Row(f"{one['codes']} codes", one["added_mib"], remark))
    return format_section(title, rows)


def shorten(model, images: int, captions: int, scored: int) -> None:
    """Let a model encode the last two batches of each side alone, one of them whole, and score few captions of each.

    Zeros stand for all other fragments and scores. All ``images`` and all ``captions`` are asked for in order, once;
    ``scored`` captions of a batch are scored.
    """
    import paddle

    from inflate_shrink.engine.encode import BATCH
    from inflate_shrink.scoring import Fragments

    encode_image, encode_text, score = model.encode_image, model.encode_text, model.score
    images_left, captions_left = images, captions

    def zeros_for(items):
        return Fragments(paddle.zeros([items, model.config.fragments_of(REGIONS), model.config.hidden]))

    def encode_last_images(regions, counts):
        nonlocal images_left
        is_last = images_left <= 2 * BATCH
        images_left -= len(regions)
        return encode_image(regions, counts) if is_last else zeros_for(len(regions))

    def encode_last_texts(ids):
        return encode_text(ids) if captions_left <= 2 * BATCH else zeros_for(len(ids))

    def score_some(text, image):
        nonlocal captions_left
        scores = paddle.zeros([len(image.vectors), len(text.vectors)])
        if captions_left <= 2 * BATCH:
            scores[:, :scored] = score(text.rows(slice(scored)), image)
        captions_left -= len(text.vectors)
        return scores

    model.encode_image, model.encode_text, model.score = encode_last_images, encode_last_texts, score_some


def draw_split(images: int, captions: int, seed: int):
    """Return a store of one batch of drawn images in memory, and a split whose images are these again and again."""
    from inflate_shrink.data.store import Split, Store
    from inflate_shrink.data.tokenized import TokenizedSplit
    from inflate_shrink.engine.encode import BATCH

    generator, rows = np.random.default_rng(seed), min(images, BATCH)
    regions = generator.random((rows, REGIONS, DIMENSION), np.float32)
    none: dict = dict(image_ids=[], image_files=[], caption_splits=[], captions=[])
    store = Store(
        directory=Path("drawn"), meta={}, image_sizes=np.zeros((rows, 2), np.int64), caption_rows=np.empty(0, np.int64),
        regions=regions, region_counts=np.full(rows, REGIONS, np.int32), boxes=np.zeros((rows, REGIONS, 4)), **none,
    )  # fmt: skip
    split = Split("val", [], np.arange(captions) % images, np.arange(images) % rows, [])
    return store, TokenizedSplit(split, generator.integers(1, VOCABULARY, (captions, WORDS)))


def _main(amount: ValidationBenchmark) -> None:
    import time

    import paddle

    from inflate_shrink.config import ModelConfig
    from inflate_shrink.engine.evaluate import evaluate
    from inflate_shrink.model.encoder import DualEncoder

    paddle.seed(amount.seed)
    heads = amount.hidden // 64 if amount.hidden % 64 == 0 else 1
    sizes = dict(hidden=amount.hidden, layers=1, heads=heads, ffn=4 * amount.hidden)
    model = DualEncoder(ModelConfig(codes=amount.codes[0], **sizes), VOCABULARY, DIMENSION)
    store, data = draw_split(amount.images, amount.captions, amount.seed)
    shorten(model, amount.images, amount.captions, amount.scored)
    before, start = resident("VmRSS"), time.perf_counter()
    evaluate(model, store, data)
    seconds, peak = time.perf_counter() - start, resident("VmHWM")
    print(json.dumps({"before_mib": before, "peak_mib": peak, "added_mib": peak - before, "seconds": seconds}))


if __name__ == "__main__":
    _main(ValidationBenchmark(**json.loads(sys.argv[1])))
