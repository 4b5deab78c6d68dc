"""Peak memory of tools/prepare_data.py for collections of several sizes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Sequence

import numpy as np

from inflate_shrink.data.vocabulary import SPECIAL_TOKENS
from inflate_shrink.errors import InputError

from .environment import workspace
from .table import Row, format_section

BOXES, DIMENSION, CAPTIONS = 36, 256, 5  # of an image
LEAST = 3  # images: one for each split
_WORDS = "a the man woman dog child ball street water red two plays runs stands near with on in holding bench".split()


def measure_memory(prepare: Sequence[str], sizes: Sequence[int] = (1000, 10000), seed: int = 0) -> dict:
    """Prepare drawn collections in a process each, with one worker and a given vocabulary, so that making one is no
    part of it.

    Args:
        prepare: the command of tools/prepare_data.py.
        sizes: images of each collection, at least :data:`LEAST`.

    Returns:
        ``sizes``: for each ``images``, ``peak_mib`` resident, ``seconds`` of the whole process and
        ``images_per_second``; ``ratio`` of the peaks, and ``kib_per_image`` between them, of the largest and the
        smallest size (0 KiB where they are one); ``boxes``, ``dimension`` and ``captions`` of an image.

    Raises:
        InputError: the tool fails, or the disk is full.
    """
    found = []
    for size in sizes:
        with workspace() as directory:
            write_collection(directory, size, seed)
            found.append({"images": size, **_prepare(prepare, directory, size)})
    smallest, largest = min(found, key=lambda one: one["images"]), max(found, key=lambda one: one["images"])
    more_images, more_mib = largest["images"] - smallest["images"], largest["peak_mib"] - smallest["peak_mib"]
    return {
        "boxes": BOXES,
        "dimension": DIMENSION,
        "captions": CAPTIONS,
        "sizes": found,
        "ratio": largest["peak_mib"] / smallest["peak_mib"],
        "kib_per_image": 1024 * more_mib / more_images if more_images else 0.0,
    }


def write_collection(directory: Path, images: int, seed: int) -> None:
    """Write ``regions.tsv`` as bottom-up-attention does, ``captions.jsonl`` and ``vocab.txt``, one image at a time."""
    generator = np.random.default_rng([seed, images])
    boxes = base64.b64encode(np.tile(np.array([0, 0, 640, 480], "<f4"), (BOXES, 1)))
    with (
        open(directory / "regions.tsv", "wb") as regions,
        open(directory / "captions.jsonl", "w", encoding="utf-8") as captions,
    ):
        for number in range(1, images + 1):
            features = base64.b64encode(generator.random((BOXES, DIMENSION), np.float32).astype("<f4"))
            regions.write(b"\t".join([b"img%06d" % number, b"640", b"480", b"%d" % BOXES, boxes, features]) + b"\n")
            texts = [
                " ".join(_WORDS[word] for word in words) for words in generator.integers(0, len(_WORDS), (CAPTIONS, 10))
            ]
            captions.write(json.dumps({"image": f"img{number:06d}", "captions": texts}) + "\n")
    (directory / "vocab.txt").write_text(
        "".join(f"{token}\n" for token in (*SPECIAL_TOKENS, *_WORDS)), encoding="utf-8"
    )


def memory_section(found: dict) -> str:
    """Return what :func:`measure_memory` found as text."""
    title = (
        "memory: peak resident memory of tools/prepare_data.py --workers 1 --vocab FILE on a drawn TSV, {boxes} boxes,"
        " D = {dimension}, {captions} captions an image".format(**found)
    )
    rows = []
    for one in found["sizes"]:
        speed = f"{one['seconds']:.1f} s, {one['images_per_second']:.0f} images/s, start included"
        rows.append(Row(f"{one['images']} images", one["peak_mib"], f"MiB ({speed})"))
    if len({one["images"] for one in found["sizes"]}) > 1:
        rows.append(
            Row("largest / smallest", found["ratio"], f"times ({found['kib_per_image']:.1f} KiB for each image more)")
        )
    return format_section(title, rows)


def run_measured(command: Sequence[str]) -> dict:
    """Run a command to its end: exit ``code``, ``peak_bytes`` resident, ``seconds``, and ``message``, its last line
    on standard error."""
    meter = [sys.executable, "-I", str(Path(__file__).with_name("peak_memory.py"))]
    done = subprocess.run([*meter, *command], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise InputError(f"{command[0]}: its memory could not be measured (exit code {done.returncode})")
    return json.loads(done.stdout)


def _prepare(prepare: Sequence[str], directory: Path, size: int) -> dict:
    command = [
        *prepare, "--workers", "1", "--out", str(directory / "prepared"),
        "--captions", str(directory / "captions.jsonl"), "--format", "jsonl", "--vocab", str(directory / "vocab.txt"),
        "--regions", str(directory / "regions.tsv"), "--regions-format", "tsv", "--extractor", "random numbers",
    ]  # fmt: skip
    found = run_measured(command)
    if found["code"]:
        raise InputError(
            f"{prepare[-1]} failed on a drawn collection of {size} images (exit code {found['code']}): "
            f"{found['message']}"
        )
    return {
        "peak_mib": found["peak_bytes"] / 2**20,
        "seconds": found["seconds"],
        "images_per_second": size / found["seconds"],
    }
