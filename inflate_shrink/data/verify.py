"""Compare a whole data set with the checksums that were written with it."""

from __future__ import annotations

import os
import zlib

import numpy as np
from tqdm import tqdm

from ..errors import InputError
from .store import LISTED, Store, open_store

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
    path, checksum = store.directory / "regions.npy", 0
    with tqdm(total=len(store.regions), desc="features", unit="images", disable=None, leave=False) as bar:
        for first in range(0, len(store.regions), _ROWS):
            for row, regions in enumerate(store.regions[first : first + _ROWS], first):
                count = store.region_counts[row]
                checksum = zlib.crc32(regions[:count], checksum)
                if regions[count:].view(np.uint8).any():
                    raise InputError(
                        f"{path}: row {row} (image {store.image_ids[row]}) has numbers after its {count} regions; "
                        f"it is damaged, {LISTED.again}"
                    )
            bar.update(min(_ROWS, len(store.regions) - first))
    if checksum != store.meta.get("regions_crc32", checksum):
        raise InputError(
            f"{path}: its checksum is not the one in meta.json; it is damaged, copy or build the data set again"
        )
    return store
