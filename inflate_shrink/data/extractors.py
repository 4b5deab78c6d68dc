"""Whether two data sets have their regions from one extractor, by what their ``meta.json`` say of it."""

from __future__ import annotations

import re

# What tools/extract_regions.py writes of a network: its file's name, which may change, and the checksum of its weights.
_NETWORK = re.compile(r"(backbone|boxes of) .*?(sha256:[0-9a-f]+)")


def same_extractor(one: str, other: str) -> bool:
    """Compare two records; true also where one of them says nothing.

    Networks are compared by their checksums and settings, whatever their files are called; other
    records by their words, whatever their case and spacing.
    """
    one, other = _essence(one), _essence(other)
    return not one or not other or one == other


def _essence(record: str) -> str:
    return _NETWORK.sub(r"\1 \2", " ".join(record.casefold().split()))
