"""Build the demo data set: scenes, images, region features, captions and vocabulary in one store."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..clustering import cluster_regions
from ..writer import StoreWriter
from .captions import Caption, describe_scene
from .regions import add_noise, describe_boxes, propose_boxes
from .render import render
from .scenes import Object, sample_scene
from .spec import DemoSpec
from .words import vocabulary

SPLITS = ("train", "val", "test")
FEATURES = 112  # numbers that describe_boxes gives a box


def build_demo(directory: str | os.PathLike, seed: int = 0, spec: DemoSpec = DemoSpec()) -> None:
    """Write the demo data set to ``directory``; the same seed and spec give the same data.

    Raises:
        InputError: the directory already exists or cannot be written.
    """
    scenes = [(split, index) for split in SPLITS for index in range(getattr(spec, split))]
    dimension = FEATURES + spec.distractors
    with StoreWriter(
        directory,
        name="demo",
        made_by="tools/make_demo_data.py",
        seed=seed,
        extractor=f"pixel statistics of {spec.boxes} boxes, {dimension} dimensions",
        clustering="k-means to 32, see inflate_shrink/data/clustering.py",
        extra={"demo": asdict(spec)},
    ) as writer:
        (writer.directory / "images").mkdir()
        writer.write_vocabulary(vocabulary())
        for split, index in tqdm(scenes, desc="demo scenes", disable=None):  # None: silent unless on a terminal
            _add_scene(writer, split, index, seed, spec)


def is_built(directory: str | os.PathLike, seed: int = 0, spec: DemoSpec = DemoSpec()) -> bool:
    """Return whether ``directory`` already holds the demo data set of this seed and spec."""
    try:
        meta = json.loads((Path(directory) / "meta.json").read_text(encoding="utf-8"))
        found = [meta[key] for key in ("name", "seed", "demo")]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return found == ["demo", seed, json.loads(json.dumps(asdict(spec)))]  # tuples are lists in JSON


def draw_scene(
    split: str, index: int, seed: int, spec: DemoSpec
) -> tuple[list[Object], list[Caption], np.random.Generator]:
    """Return a scene and its captions, the truth behind :func:`build_demo`, and the generator that drew them.

    Every scene has a generator of its own, so that one split's size does not change another split.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    scene = sample_scene(rng, spec)
    return scene, describe_scene(scene, rng, spec), rng


def _add_scene(writer: StoreWriter, split: str, index: int, seed: int, spec: DemoSpec) -> None:
    scene, captions, rng = draw_scene(split, index, seed, spec)
    image = render(scene, rng, spec.image_side, spec.pixel_noise)
    boxes = propose_boxes(scene, rng, spec)
    features = add_noise(describe_boxes(image, boxes), rng, spec)
    centres, centre_boxes = cluster_regions(features, boxes)

    image_id = f"{split}-{index:05d}"
    file = f"images/{image_id}.png"
    Image.fromarray(image).save(writer.directory / file, compress_level=1)  # noise hardly compresses
    writer.add_image(image_id, spec.image_side, spec.image_side, file, centres, centre_boxes)
    for caption in captions:
        writer.add_caption(split, image_id, caption.text)
