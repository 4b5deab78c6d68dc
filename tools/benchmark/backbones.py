"""Describing photos by several backbones, one after another: photos per second by photos at once and threads."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Callable, Iterator

import numpy as np

from inflate_shrink.errors import InputError
from inflate_shrink.extract.decode import Photo, open_photo
from inflate_shrink.extract.extractor import Extractor, ExtractorSettings
from inflate_shrink.extract.named import NAMES
from inflate_shrink.extract.photos import PhotoFolder

from .environment import describe_environment, environment, one_thread, workspace
from .table import Row, format_section

_PHOTOS = 16  # that are described again and again


def measure_backbones(arguments: argparse.Namespace, show: Callable[[str], None] = print) -> dict:
    """Describe photos by each backbone in each way, and hand its numbers to ``show`` as soon as they are known.

    Args:
        arguments: of :mod:`.subcommands.extraction`.

    Returns:
        ``environment``, and ``backbones``: of each its name and ``ways``, with ``batch``, ``threads`` and
        ``photos_per_second`` of the network with resizing and scaling, without reading, decoding and clustering.

    Raises:
        InputError: no file is a photo, or a network is missing or does not fit.
    """
    if min(*arguments.batch, *arguments.threads) < 1 or not arguments.seconds > 0:
        raise InputError("--batch, --threads and --seconds must be above 0")
    photos = _photos(PhotoFolder(arguments.images), arguments.size, arguments.seed)
    result = {"environment": environment("onnxruntime"), "size": arguments.size, "backbones": []}
    show(describe_environment(result["environment"]))
    with workspace() as directory, one_thread():
        for backbone in arguments.backbone:
            weights = _random_weights(backbone, directory, arguments.seed) if arguments.random_weights else ""
            settings = ExtractorSettings(backbone, size=arguments.size, backbone_weights=weights)
            ways = list(_ways(settings, photos, arguments))
            result["backbones"].append({"backbone": Path(backbone).name, "ways": ways})
            rows = [
                Row("{batch} at once, {threads} threads".format(**way), way["photos_per_second"], "photos/s")
                for way in ways
            ]
            show(f"\n{format_section(f'{Path(backbone).name}, shorter side {arguments.size}', rows)}")
    return result


def _ways(settings: ExtractorSettings, photos: list[Photo], arguments: argparse.Namespace) -> Iterator[dict]:
    for threads in arguments.threads:
        extractor = Extractor(settings, threads)
        for batch in arguments.batch:
            some = [photos[number % len(photos)] for number in range(batch)]
            extractor.regions(some)  # the first call of a size takes longer
            begin, done = time.perf_counter(), 0
            while done == 0 or time.perf_counter() - begin < arguments.seconds:
                extractor.regions(some)
                done += batch
            yield {"threads": threads, "batch": batch, "photos_per_second": done / (time.perf_counter() - begin)}


def _photos(folder: PhotoFolder, size: int, seed: int) -> list[Photo]:
    """Open some photos, in an order drawn by ``seed``."""
    opened = []
    for number in np.random.default_rng(seed).permutation(len(folder.names)):
        name = folder.names[number]
        try:
            opened.append(open_photo(folder.read(name), folder.where(name), min_side=size))
        except InputError as error:
            problem = error
        if len(opened) == _PHOTOS:
            break
    if not opened:
        raise InputError(f"{folder.source}: no file can be used as a photo; of the last: {problem}")
    return opened


def _random_weights(backbone: str, directory: Path, seed: int) -> str:
    """Write drawn weights of a network by name and return their file; "" for a network that is a file."""
    if backbone not in NAMES:
        return ""
    import paddle

    paddle.seed(seed)
    path = directory / f"{backbone}.pdparams"
    paddle.save(getattr(paddle.vision.models, backbone)(pretrained=False).state_dict(), str(path))
    return str(path)
