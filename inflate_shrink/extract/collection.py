"""A folder of photos to a data set of clustered regions, without captions: what can be searched, or given captions."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import numpy as np

from ..data.bad_records import BadRecords
from ..data.clustering import cluster_regions
from ..data.parallel import ordered_map
from ..data.reporting import reported
from ..data.writer import StoreWriter
from ..errors import InputError
from .extractor import Extractor, ExtractorSettings
from .photos import PhotoFolder, open_photo


def extract_collection(
    folder: PhotoFolder, directory: str | os.PathLike, settings: ExtractorSettings, *, regions: int = 32, workers: int = 1, bad: BadRecords
) -> tuple[int, int]:
    """Describe every photo of ``folder`` in a new data set; an interrupted call is taken up by the same call.

    Args:
        regions: clusters of a photo.
        workers: processes; each opens the networks itself.
        bad: what to do with files that are no photos or damaged.

    Returns:
        How many photos the data set holds, and how many of them were there before.

    Raises:
        InputError: a network that does not fit, no usable photo, or the first bad one if ``bad`` does not skip.
    """
    if regions < 1:
        raise InputError(f"the number of regions must be 1 or more, found {regions}")
    description = Extractor(settings).check()
    for problem in folder.bad:
        bad.report(problem)
    with StoreWriter(
        directory,
        name=Path(directory).name,
        made_by="tools/extract_regions.py",
        extractor=description,
        clustering=f"k-means to {regions}",
        regions=regions,
        extra={"image_root": str(folder.source.resolve())},
        inputs={"photos": folder.fingerprint()},
    ) as writer:
        left = [name for name in folder.names if name not in writer]
        results = ordered_map(_describe, left, workers, initializer=_open, initargs=(folder, settings, regions))
        with closing(reported(results, "extract", len(folder.names), len(writer))) as results:  # an error ends the workers at once
            for name, result in results:
                if isinstance(result, InputError):
                    bad.report(result)
                else:
                    writer.add_image(name, *result)
        if not len(writer):
            raise InputError(f"{folder.source}: none of its {len(folder.names)} files is a photo that can be described; nothing was written")
        return len(writer), writer.resumed


_process: tuple[PhotoFolder, Extractor, int]  # what each process has opened once


def _open(folder: PhotoFolder, settings: ExtractorSettings, regions: int) -> None:
    global _process
    _process = folder, Extractor(settings), regions


def _describe(name: str) -> tuple:
    """Width, height, file, clustered regions (n, C) and boxes (n, 4): what StoreWriter.add_image takes after the id."""
    folder, extractor, regions = _process
    photo = open_photo(folder.read(name), folder.where(name), min_side=extractor.settings.size)
    try:
        found = extractor(photo)
        centres, boxes, count = cluster_regions(found.features, found.boxes, regions)
    except InputError as error:
        raise InputError(f"{folder.where(name)}: {error}") from error
    if np.abs(centres).max() > np.finfo(np.float16).max:
        raise InputError(f"{folder.where(name)}: a feature is too large for float16; is --backbone-preset the right one?")
    return photo.width, photo.height, name, centres[:count].astype(np.float16), boxes[:count]
