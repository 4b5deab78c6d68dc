"""COCO captions JSON, as in ``captions_val2017.json``; the file names no splits.

{"images": [{"id": 9, "file_name": "000000000009.jpg", ...}, ...],
 "annotations": [{"id": 661611, "image_id": 9, "caption": "A dog.", ...}, ...], ...}
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from ..bad_records import BadRecords
from .files import read_json_lists, shown, take
from .records import Caption, CaptionOptions

_ID = (int, str)


def read(path: Path, bad: BadRecords, options: CaptionOptions) -> Iterator[Caption]:
    """Yield the captions, without a split; an image is called by its ``file_name``.

    Missing keys, repeated ids or file names, and a caption of an unknown image are bad records.
    An annotation need not have an id.
    """
    images, annotations = read_json_lists(path, ("images", "annotations"), "captions_val2017.json")
    name_of = _file_names(path, images, bad)
    number_of: dict[object, int] = {}
    for number, annotation in enumerate(annotations):
        where = f"{path}: annotations[{number}]"
        fields = take(f"{where}.", annotation, bad, image_id=_ID, caption=str)
        if fields is None:
            continue
        image, text = fields
        if image not in name_of:
            bad.report(f"{where}.image_id: {shown(image)} is the id of no image in 'images'")
            continue
        if "id" in annotation:
            if take(f"{where}.", annotation, bad, id=_ID) is None:
                continue
            first = number_of.setdefault(annotation["id"], number)
            if first != number:
                bad.report(f"{where}.id: {shown(annotation['id'])} is already annotations[{first}]; ids must be unique")
                continue
        yield Caption(name_of[image], text, None, where)


def _file_names(path: Path, images: list, bad: BadRecords) -> dict[object, str]:
    """Return the file name of each image id; report the images that are not as they should be."""
    name_of: dict[object, str] = {}
    number_of: dict[tuple[str, object], int] = {}
    for number, image in enumerate(images):
        where = f"{path}: images[{number}]"
        fields = take(f"{where}.", image, bad, id=_ID, file_name=str)
        if fields is None:
            continue
        identity, name = fields
        for key in (("id", identity), ("file_name", name)):
            if key in number_of:
                bad.report(f"{where}.{key[0]}: {shown(key[1])} is already images[{number_of[key]}]; it must be unique")
                break
        else:
            number_of["id", identity] = number_of["file_name", name] = number
            name_of[identity] = name
    return name_of
