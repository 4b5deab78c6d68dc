"""Describing the user's photos by regions: photos per second on one core."""

from __future__ import annotations

import time
from collections import deque

import numpy as np

from inflate_shrink.data.clustering import cluster_regions
from inflate_shrink.errors import InputError
from inflate_shrink.extract.decode import open_photo
from inflate_shrink.extract.extractor import Extractor
from inflate_shrink.extract.photos import PhotoFolder

from .environment import one_thread
from .table import Row, format_section


def measure_extraction(
    folder: PhotoFolder, extractor: Extractor, seconds: float = 10.0, seed: int = 0, *, regions: int = 32
) -> dict:
    """Open, describe and cluster photos one after another, in an order drawn by ``seed``, as often as ``seconds``
    allow.

    Files that cannot be used are left out, also of the times.

    Returns:
        ``photos`` described (repeats counted), ``different`` ones, ``left_out`` files, ``photos_per_second``, and
        ``milliseconds`` a photo of ``open`` (reading and decoding), ``extract`` (the networks) and ``cluster``;
        ``boxes``, the mean number of a photo's regions before clustering.

    Raises:
        InputError: no file of the folder can be used.
    """
    names = [folder.names[number] for number in np.random.default_rng(seed).permutation(len(folder.names))]
    waiting, left_out, parts, boxes = deque(names), 0, [], 0
    begin = time.perf_counter()
    with one_thread():
        while waiting and not (parts and time.perf_counter() - begin >= seconds):
            name = waiting.popleft()
            try:
                times, count = _describe(folder, extractor, name, regions)
            except InputError as error:
                left_out, problem = left_out + 1, error
                continue
            waiting.append(name)  # once more, if there is time
            parts.append(times)
            boxes += count
    if not parts:
        raise InputError(f"{folder.source}: no file can be used as a photo; of the last: {problem}")
    mean = np.mean(parts, axis=0)
    return {
        "photos": len(parts),
        "different": min(len(parts), len(names) - left_out),
        "left_out": left_out,
        "boxes": boxes / len(parts),
        "photos_per_second": float(1 / mean.sum()),
        "milliseconds": {name: float(1000 * part) for name, part in zip(("open", "extract", "cluster"), mean)},
    }


def extraction_section(found: dict | None) -> str:
    """Return what :func:`measure_extraction` found as text; None: how to measure it."""
    if found is None:
        return "extraction: not measured; --images DIR and --backbone FILE measure it"
    title = (
        "extraction: {photos} photos ({different} different, {left_out} files left out) one after another, "
        "{boxes:.0f} regions before clustering; one thread".format(**found)
    )
    names = {"open": "reading and decoding", "extract": "networks and RoIAlign", "cluster": "clustering"}
    rows = [Row("all together", found["photos_per_second"], "photos/s")]
    return format_section(
        title, rows + [Row(text, found["milliseconds"][name], "ms a photo") for name, text in names.items()]
    )


def _describe(folder: PhotoFolder, extractor: Extractor, name: str, regions: int) -> tuple[np.ndarray, int]:
    """Return the seconds of the three parts, and how many regions there were."""
    clock = [time.perf_counter()]
    photo = open_photo(folder.read(name), folder.where(name), min_side=extractor.settings.size)
    clock.append(time.perf_counter())
    found = extractor(photo)
    clock.append(time.perf_counter())
    cluster_regions(found.features, found.boxes, regions)
    clock.append(time.perf_counter())
    return np.diff(clock), len(found.features)
