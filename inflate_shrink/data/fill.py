"""Fill a data set with images: worker processes read and cluster their regions, a writer takes them in order."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import Callable, Iterable, Iterator

import numpy as np

from ..errors import InputError, attempt
from .bad_records import BadRecords
from .clustering import cluster_regions
from .parallel import ordered_map
from .region_files.records import RegionItem, Regions
from .reporting import reported
from .writer import StoreWriter

Reader = Callable[[RegionItem], Regions]


def fill_store(
    writer: StoreWriter,
    items: Iterable[RegionItem],
    total: int,
    open_reader: Callable[..., Reader],
    arguments: tuple,
    *,
    task: str,
    workers: int,
    bad: BadRecords,
    kept: int = 0,
    batch: int = 1,
) -> None:
    """Add the regions of those items that ``writer`` does not hold yet, clustered, in the order of the items.

    Args:
        writer: its number of slots is the number of clusters.
        items: the images, each once.
        total: number of the items, those that the writer holds among them, to report the progress of ``task``.
        open_reader: called once in each process, with ``arguments``; returns what reads the regions of an item or
            raises an InputError that names it. Picklable, as are the arguments, the items and their regions.
        workers: processes; with 1 everything runs in this one.
        bad: gets the items that cannot be read, clustered or written.
        kept: the first regions of each image that are no part of a cluster.
        batch: items at once; of more than one a list is read by the reader's ``batch``, to the regions of each or an
            InputError.

    Raises:
        InputError: the first bad item if ``bad`` does not skip, or a worker was killed.
    """
    left = (item for item in items if item.image_id not in writer)
    shared = open_reader, arguments, writer.slots, kept
    batches = ordered_map(_read, _batches(left, batch), workers, initializer=_open, initargs=shared)
    results = (pair for some, found in batches for pair in zip(some, found))
    with closing(batches), closing(reported(results, task, total, len(writer))) as results:  # an error ends the workers
        for item, found in results:
            if isinstance(found, InputError):
                bad.report(found)
                continue
            try:
                size_and_file = found.width, found.height, found.file
                kept = found.features, found.boxes, found.file_hash, found.mirrored
                writer.add_image(item.image_id, *size_and_file, *kept)
            except InputError as error:
                bad.report(f"{item.where}: {error}")


_process: tuple[Reader, int, int]  # each process opens its reader once; with the numbers of clusters and kept regions


def _open(open_reader: Callable[..., Reader], arguments: tuple, clusters: int, kept: int) -> None:
    global _process
    _process = open_reader(*arguments), clusters, kept


def _batches(items: Iterable[RegionItem], size: int) -> Iterator[list[RegionItem]]:
    items = iter(items)
    while some := list(islice(items, size)):
        yield some


def _read(items: list[RegionItem]) -> list[Regions | InputError]:
    """Read the regions of items and cluster them; those that cannot be are an InputError that names the item."""
    reader, *numbers = _process
    found = reader.batch(items) if len(items) > 1 else [attempt(reader, items[0])]
    return [
        each if isinstance(each, InputError) else attempt(_clustered, item, each, *numbers)
        for item, each in zip(items, found)
    ]


def _clustered(item: RegionItem, found: Regions, *numbers: int) -> Regions:
    try:
        features, boxes = cluster_regions(found.features, found.boxes, *numbers)
        mirrored = found.mirrored if item.mirrored else None
        if mirrored is not None:
            mirrored, _ = cluster_regions(mirrored, np.zeros((len(mirrored), 4)), *numbers)
    except InputError as error:
        raise InputError(f"{item.where}: {error}") from error
    return found._replace(features=features, boxes=boxes, mirrored=mirrored)
