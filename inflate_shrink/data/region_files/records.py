"""One image's regions, before and after decoding, as every reader of regions gives them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class RegionItem(NamedTuple):
    """An image found in a region file, not decoded yet, so that it is cheap to skip and to send to a worker.

    ``where``: file and line or key, for messages; ``payload``: what the format's ``decode`` needs.
    """

    image_id: str
    where: str
    payload: object


class Regions(NamedTuple):
    """``features`` (n, D) float32; ``boxes`` (n, 4) float32 x1, y1, x2, y2 in pixels, zeros where unknown;
    ``width``, ``height`` of the image in pixels, 0 where unknown; ``file``: the image file, "" where unknown;
    ``file_hash``: the first 16 hexadecimal digits of the SHA-256 of its bytes, 0 where unknown."""

    features: np.ndarray
    boxes: np.ndarray
    width: int
    height: int
    file: str = ""
    file_hash: int = 0
