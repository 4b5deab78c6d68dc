"""TSV of bottom-up-attention: image_id, image_w, image_h, num_boxes, boxes, features; no header.

Boxes (n, 4) x1, y1, x2, y2 in pixels and features (n, D) are float32, little-endian, in base64; n varies
(10 to 100) or is fixed (36). An extraction on several GPUs writes several files, in any order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Sequence

from ..bad_records import BadRecords
from .checks import base64_floats, regions, whole_number
from .records import RegionItem, Regions
from .tsv_lines import fields_of, line_items

_NAMES = "image_id image_w image_h num_boxes boxes features"


def items(paths: Sequence[Path], bad: BadRecords) -> Iterator[RegionItem]:
    """Yield one item a line; its payload is the line."""
    return line_items(paths, bad, range(6, 7), _NAMES)


def decode(item: RegionItem) -> Regions:
    """Decode a line; raise InputError if a number, the base64 or a byte count is wrong, or a feature not finite."""
    where = item.where
    with fields_of(item) as fields:
        width, height, count = (whole_number(where, name, text) for name, text in zip(_NAMES.split()[1:4], fields[1:4]))
        boxes = base64_floats(where, "boxes", fields[4], count, 4)
        return regions(where, base64_floats(where, "features", fields[5], count), boxes, width, height)
