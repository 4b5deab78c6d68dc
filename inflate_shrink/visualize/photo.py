"""The photo of an image of a data set, where it can still be found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data.store import Store
from ..errors import InputError
from ..extract.decode import open_photo
from ..extract.photos import PhotoFolder

if TYPE_CHECKING:
    from PIL import Image


class Scene(NamedTuple):
    """What a figure draws boxes on.

    photo: RGB, or None. width, height: of what is drawn, in the units of ``boxes`` (n, 4) x1, y1, x2, y2. note: what
    is missing, or "".
    """

    photo: Image.Image | None
    width: float
    height: float
    boxes: np.ndarray
    note: str


def open_scene(store: Store, row: int) -> Scene:
    """Open the photo of a row and the boxes of its regions; without a photo an empty canvas of its size."""
    photo, note = _photo(store, row)
    width, height, boxes = scaled_boxes(store, row, photo.size if photo else (1, 1))
    if not boxes.any():
        note += " (the data set holds no boxes)"
    return Scene(photo, width, height, boxes, note.strip())


def scaled_boxes(store: Store, row: int, size: tuple[int, int] = (1, 1)) -> tuple[float, float, np.ndarray]:
    """Return width and height of a row's photo, and the boxes (n, 4) of its regions in that unit; zeros for none.

    size: taken where the data set does not know it.
    """
    boxes = np.array(store.boxes[row][: store.region_counts[row]], np.float32)
    width, height = map(float, store.image_sizes[row])
    if not width or not height:  # the boxes are then fractions, or none
        width, height = map(float, size)
        boxes *= np.array([width, height] * 2, np.float32) if boxes.max() <= 1 else 1
    return width, height, boxes


def _photo(store: Store, row: int) -> tuple[Image.Image | None, str]:
    path, root = store.image_path(row), store.image_root
    if path is None:
        return None, "(the data set holds no photos)"
    try:
        data = PhotoFolder(root).read(store.image_files[row]) if root.is_file() else path.read_bytes()
        return open_photo(data, str(path)).image, ""
    except (InputError, OSError):
        return None, f"(no photo can be read at {path})"
