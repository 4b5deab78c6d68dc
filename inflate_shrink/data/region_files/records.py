"""One image's regions, before and after decoding, as every reader of regions gives them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class RegionItem(NamedTuple):
    """An image found in a region file, not decoded yet, so that it is cheap to skip and to send to a worker.

    ``where``: file and line or key, for messages; ``payload``: what the format's ``decode`` needs; ``mirrored``:
    whether the regions of the mirrored photo are wanted too, where there are such.
    """

    image_id: str
    where: str
    payload: object
    mirrored: bool = True


class Regions(NamedTuple):
    """``features`` (n, D) float32; ``boxes`` (n, 4) float32 x1, y1, x2, y2 in pixels, zeros where unknown;
    ``width``, ``height`` of the image in pixels, 0 where unknown; ``file``: the image file, "" where unknown;
    ``file_hash``: the first 16 hexadecimal digits of the SHA-256 of its bytes, 0 where unknown; ``mirrored``: the
    features (n', D) float32 of the mirrored photo, None where there are none."""

    features: np.ndarray
    boxes: np.ndarray
    width: int
    height: int
    file: str = ""
    file_hash: int = 0
    mirrored: np.ndarray | None = None
