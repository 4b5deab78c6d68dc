"""Photos to pixels as ``preprocessor_config.json`` says: resized, cropped, scaled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...errors import InputError
from ...json_values import JsonMapping
from .folder import AGAIN, PIXELS, read_json

if TYPE_CHECKING:
    from PIL import Image

_MOST = 4096  # pixels of a side
_UNKNOWN = ("do_pad", "do_image_splitting", "max_num_patches", "resize_mode", "do_thumbnail", "do_align_long_axis")


class Pixels(NamedTuple):
    """``size``: height and width, or (shorter side,) of a photo that is then cropped to ``crop``, height and width from
    its middle; ``resample``: Pillow's number of a filter; ``scale``, ``mean``, ``std``: (x * scale - mean) / std."""

    size: tuple[int, ...]
    crop: tuple[int, int] | None
    resample: int
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Return height and width of what the network sees."""
        return self.crop or self.size

    @property
    def min_side(self) -> int:
        """Return the pixels of a photo's shorter side that suffice: twice as many as are kept."""
        return 2 * max(self.size)

    def __call__(self, image: Image.Image) -> np.ndarray:
        """Return the pixels (3, h, w) float32 of an RGB image."""
        if len(self.size) == 1:
            scale, short = self.size[0], min(image.size)
            width, height = (max(scale, int(scale * side / short)) for side in image.size)
        else:
            height, width = self.size
        image = image.resize((width, height), self.resample)
        if self.crop:
            top, left = ((side - kept) // 2 for side, kept in zip((height, width), self.crop))
            image = image.crop((left, top, left + self.crop[1], top + self.crop[0]))
        pixels = np.asarray(image, np.float32) * np.float32(self.scale)
        return ((pixels - np.float32(self.mean)) / np.float32(self.std)).transpose(2, 0, 1)


def read_pixels(directory: Path) -> Pixels:
    """Read how a photo becomes pixels.

    Raises:
        InputError: the file is missing or damaged, or asks for what is not done here.
    """
    values, path = read_json(directory, PIXELS), directory / PIXELS
    for key in _UNKNOWN:
        if values.value.get(key):
            raise InputError(f"{path}: {key} is not read here; take a CLIP whose photos are resized and cropped")
    crop = _pair(values, "crop_size") if _flag(values, "do_center_crop", "crop_size" in values) else None
    if not _flag(values, "do_resize", True):
        raise InputError(f"{path}: do_resize is off; take a CLIP whose photos are resized and cropped")
    found = values.get("size")
    if isinstance(found, dict) and "shortest_edge" in found and "longest_edge" not in found:
        size = (values.mapping("size").whole("shortest_edge", 1, _MOST),)
    elif isinstance(found, int) and crop:
        size = (values.whole("size", 1, _MOST),)
    else:
        size = _pair(values, "size")
    if crop and (max(crop) > min(size)) or not crop and len(size) == 1:
        raise InputError(f"{path}: photos are resized to {size} and cropped to {crop}; expected a crop within the size")
    resample = values.whole("resample", 0, 5) if "resample" in values else 3
    scale = _number(values, "rescale_factor", 1 / 255) if _flag(values, "do_rescale", True) else 1.0
    mean, std = (0.0,) * 3, (1.0,) * 3
    if _flag(values, "do_normalize", True):
        mean, std = values.numbers("image_mean"), values.numbers("image_std")
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise InputError(f"{path}: expected three numbers as image_mean, and three above 0 as image_std; {AGAIN}")
    return Pixels(size, crop, resample, scale, mean, std)


def _flag(values: JsonMapping, key: str, default: bool) -> bool:
    return values.flag(key) if values.value.get(key) is not None else default


def _number(values: JsonMapping, key: str, default: float) -> float:
    return values.fraction(key) if key in values else default


def _pair(values: JsonMapping, key: str) -> tuple[int, int]:
    """Return height and width, given as such or as the side of a square."""
    if isinstance(values.get(key), int):
        return (values.whole(key, 1, _MOST),) * 2
    return tuple(values.mapping(key).only("height", "width").whole(side, 1, _MOST) for side in ("height", "width"))
