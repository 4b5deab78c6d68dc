"""What ``meta.json`` says of how regions were extracted: whether two data sets have theirs from one extractor, and how
a photo is described anew.
"""

from __future__ import annotations

import re

# What tools/extract_regions.py writes of a network: its file's name, which may change, and the checksum of its weights.
_NETWORK = re.compile(r"(backbone|boxes of) .*?(sha256:[0-9a-f]+)")

# The key of a mapping: networks and options that describe a photo, see :mod:`..extract.record`.
EXTRACTION = "extraction"
CLUSTERINGS = "clusterings"  # its key of a list: each reduction of an image's regions since, in order
WHOLE = "whole"  # its key of a truth: the first region of each image is the whole photo; missing where it is not
POWER = "power"  # its key of a number: to which power the first of them raised the sizes of all numbers; missing: 1
_PATHS = ("backbone", "detector", "backbone_weights")  # its keys that may differ between data sets of one extractor


def clustering_record(regions: int, dtype: str) -> dict:
    """Return JSON values: so many regions at most were kept of an image, in numbers of this type."""
    return {"regions": regions, "dtype": dtype}


def carried_extraction(records: list, regions: int, dtype: str) -> dict | None:
    """Return the record of a data set made of the regions of others; None if one of them has none or they differ.

    Args:
        records: what those have under EXTRACTION, None where they have nothing.
        regions, dtype: of the new data set.
    """
    if not all(isinstance(record, dict) and isinstance(record.get(CLUSTERINGS), list) for record in records):
        return None
    kinds = {repr(sorted((key, value) for key, value in record.items() if key not in _PATHS)) for record in records}
    if len(kinds) != 1:
        return None
    return {**records[0], CLUSTERINGS: [*records[0][CLUSTERINGS], clustering_record(regions, dtype)]}


def whole_first(record: dict | None) -> bool:
    """Return whether a record, None where there is none, says that the first region of each image is the whole photo."""
    return isinstance(record, dict) and record.get(WHOLE) is True


def same_extractor(one: str, other: str) -> bool:
    """Compare two records; true also where one of them says nothing.

    Networks are compared by their checksums and settings, whatever their files are called; other
    records by their words, whatever their case and spacing.
    """
    one, other = _essence(one), _essence(other)
    return not one or not other or one == other


def _essence(record: str) -> str:
    return _NETWORK.sub(r"\1 \2", " ".join(record.casefold().split()))
