"""Items of a data set as an index holds them: which, and by what names."""

from __future__ import annotations

import os

import numpy as np

from ..data.store import Store

PHOTOS = "photos"  # key of what an index says of its data where they are a folder of photos and no data set


def chosen_items(store: Store, holds: str, split: str) -> np.ndarray:
    """Return the rows of a split's images in the data set, or the numbers of its captions."""
    if holds == "images":
        return store.split(split).image_rows if split else np.arange(len(store.image_ids))
    if split:
        store.split(split)  # raises if there is none
    return np.array(
        [number for number, name in enumerate(store.caption_splits) if not split or name == split], np.int64
    )


def item_name(store: Store, holds: str, item: int, root: str = "") -> tuple[str, str]:
    """Return an image's id, and its file from ``root``; or the image's id with the caption's place among all, and its
    text.
    """
    if holds == "images":
        file = store.image_files[item]
        return store.image_ids[item], os.path.join(root, file) if file else ""
    return f"{store.image_ids[store.caption_rows[item]]}#{item}", " ".join(store.captions[item].split())
