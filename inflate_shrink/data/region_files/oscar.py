"""TSV of Oscar and VinVL: image_id, then JSON {"num_boxes": n, "features": base64} or the two fields n, base64.

The base64 holds n x 2054 float32, little-endian: 2048 features and x1/W, y1/H, x2/W, y2/H, w/W, h/H of the
box. Only the 2048 are kept as features. The file does not say the image's size, so width and height are 0
and the boxes stay the fractions that they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator, Sequence

from ...errors import InputError
from ..bad_records import BadRecords
from .checks import base64_floats, regions, whole_number
from .records import RegionItem, Regions
from .tsv_lines import fields_of, line_items

FEATURES, COLUMNS = 2048, 2054
_MOST_PARTS = 10_000
_NAMES = "image_id, then JSON with num_boxes and features, or num_boxes and features"


def items(paths: Sequence[Path], bad: BadRecords) -> Iterator[RegionItem]:
    """Yield one item a line, which is its payload; raise InputError for a .pt file: a pickle, which can run code."""
    for path in paths:
        if Path(path).suffix in (".pt", ".pth"):
            raise InputError(
                f"{path}: PyTorch files are pickles and are not opened; "
                "export the features as TSV (--regions-format oscar) or .npz"
            )
    return line_items(paths, bad, range(2, 100), _NAMES)


def decode(item: RegionItem) -> Regions:
    """Decode a line; raise InputError if JSON, base64 or byte count is wrong, or a feature not finite."""
    with fields_of(item) as fields:
        if fields[1].lstrip().startswith(b"{"):
            count, text = _json_fields(item.where, fields[1])
        else:
            count, text = _plain_fields(item.where, fields)
        numbers = base64_floats(item.where, "features", text, count, COLUMNS)
        return regions(item.where, numbers[:, :FEATURES], numbers[:, FEATURES : FEATURES + 4])


def _json_fields(where: str, text: bytes) -> tuple[int, bytes]:
    parts = sum(map(text.count, (b"[", b"{", b",")))
    if parts > _MOST_PARTS:  # a list or a number takes many times its text in memory
        raise InputError(
            f"{where}: JSON of {parts} brackets and commas, more than the limit of {_MOST_PARTS}; "
            "expected num_boxes and features alone"
        )
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: the second field is not valid JSON ({error})") from error
    count, features = record.get("num_boxes"), record.get("features")
    if type(count) is not int or not isinstance(features, str):
        raise InputError(f"{where}: expected JSON with a whole number num_boxes and a base64 text features")
    return whole_number(where, "num_boxes", str(count)[:20].encode()), features.encode("utf-8", "replace")


def _plain_fields(where: str, fields: list[bytes]) -> tuple[int, bytes]:
    if len(fields) < 3:
        raise InputError(f"{where}: expected {_NAMES}; found {len(fields)} fields, the second not JSON")
    return whole_number(where, "num_boxes", fields[1]), fields[2]
