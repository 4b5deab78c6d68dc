"""Compare a whole data set with the checksums that were written with it."""

from __future__ import annotations

import os
import zlib

import numpy as np
from tqdm import tqdm

from ..errors import InputError
from .store import LISTED, MIRRORED, Store, open_store

_ROWS = 64  # images whose features are read at once


def verify_store(directory: str | os.PathLike) -> Store:
    """Open a data set and read all of it, features too, at the speed of the disk.

    Of a data set without ``files.json`` only the features have a checksum.

    Raises:
        InputError: a file is not as it was written.
    """
    store = open_store(directory)
    if (store.directory / LISTED.name).exists():
        LISTED.check_all(store.directory)
    _verify_regions(store, "regions", store.regions, store.region_counts)
    if store.mirrored_regions is not None:
        _verify_regions(store, "mirrored", store.mirrored_regions, store.mirrored_counts)
    return store


def _verify_regions(store: Store, kind: str, array: np.ndarray, counts: np.ndarray) -> None:
    """Compare regions, or those of the mirrored photos, with their checksum; raises InputError."""
    path, checksum = store.directory / ("regions.npy" if kind == "regions" else f"{MIRRORED}regions.npy"), 0
    with tqdm(total=len(array), desc="features", unit="images", disable=None, leave=False) as bar:
        for first in range(0, len(array), _ROWS):
            for row, regions in enumerate(array[first : first + _ROWS], first):
                count = counts[row]
                checksum = zlib.crc32(regions[:count], checksum)
                if regions[count:].view(np.uint8).any():
                    raise InputError(
                        f"{path}: row {row} (image {store.image_ids[row]}) has numbers after its {count} regions; "
                        f"it is damaged, {LISTED.again}"
                    )
            bar.update(min(_ROWS, len(array) - first))
    if checksum != store.meta.get(f"{kind}_crc32", checksum):
        raise InputError(
            f"{path}: its checksum is not the one in meta.json; it is damaged, copy or build the data set again"
        )
