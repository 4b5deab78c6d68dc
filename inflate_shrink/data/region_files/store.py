"""A data set directory of this package (:mod:`inflate_shrink.data.store`), such as tools/extract_regions.py writes.

Each row gives its valid regions; with 32 or fewer they pass through clustering unchanged. ``file`` stays
relative to the directory. As whenever a data set is opened, its ids and captions are held in memory,
its features are not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Sequence

import numpy as np

from ..bad_records import BadRecords
from ..store import Store, open_store
from .checks import check_shape, regions, usable_id
from .records import RegionItem, Regions


def items(paths: Sequence[Path], bad: BadRecords) -> Iterator[RegionItem]:
    """Yield one item a row; its payload is its Regions, not checked yet.

    Raises InputError if a directory is no whole data set.
    """
    stores = [open_store(path) for path in paths]
    for store in stores:
        check_shape(str(store.directory / "regions.npy"), "rows", store.regions.shape[1:])
        for row, image_id in enumerate(store.image_ids):
            where = f"{store.directory / 'regions.npy'}: row {row} (image {image_id})"
            if usable_id(image_id, where, bad):
                count = store.region_counts[row]
                width, height = store.image_sizes[row].tolist()
                # copies: what is sent to a worker must not hold the mapped file
                found = Regions(
                    np.array(store.regions[row, :count]),
                    np.array(store.boxes[row, :count]),
                    width,
                    height,
                    store.image_files[row],
                    mirrored=_mirrored(store, row),
                )
                yield RegionItem(image_id, where, found)


def decode(item: RegionItem) -> Regions:
    """Return the regions of a row, checked; raise InputError if a feature is not finite."""
    found, mirrored = regions(item.where, *item.payload[:5]), item.payload.mirrored
    if mirrored is not None:
        mirrored = regions(f"{item.where}, mirrored", mirrored).features
    return found._replace(mirrored=mirrored)


def _mirrored(store: Store, row: int) -> np.ndarray | None:
    if not store.with_mirrored([row])[0]:
        return None
    return np.array(store.mirrored_regions[row, : store.mirrored_counts[row]])
