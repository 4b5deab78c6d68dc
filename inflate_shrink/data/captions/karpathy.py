"""Karpathy's JSON with its splits: ``dataset_flickr30k.json``, ``dataset_flickr8k.json``, ``dataset_coco.json``.

    {"images": [{"filename": "1.jpg", "split": "train", "sentences": [{"raw": "A dog.", ...}, ...], ...}, ...], ...}

The raw sentences are read; the tokens beside them are lower-cased and have lost the punctuation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from ..bad_records import BadRecords
from .files import read_json_lists, shown, take
from .records import Caption, CaptionOptions


def read(path: Path, bad: BadRecords, options: CaptionOptions) -> Iterator[Caption]:
    """Yield the captions; ``restval`` counts as train, or is left out where ``options.restval`` is False.

    Missing keys, an image without sentences and a repeated file name are bad records.
    """
    (images,) = read_json_lists(path, ("images",), "dataset_flickr30k.json")
    number_of: dict[str, int] = {}
    for number, image in enumerate(images):
        where = f"{path}: images[{number}]"
        fields = take(f"{where}.", image, bad, filename=str, split=str, sentences=list)
        if fields is None:
            continue
        name, split, sentences = fields
        first = number_of.setdefault(name, number)
        if first != number:
            bad.report(f"{where}.filename: {shown(name)} is already images[{first}]; file names must be unique")
            continue
        if split == "restval":
            if not options.restval:
                continue
            split = "train"
        if not sentences:
            bad.report(f"{where}.sentences: empty, expected at least one")
        for position, sentence in enumerate(sentences):
            place = f"{where}.sentences[{position}]"
            if take(f"{place}.", sentence, bad, raw=str) is not None:
                yield Caption(name, sentence["raw"], split, place)
