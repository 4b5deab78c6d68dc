"""What of an index goes to Qdrant: its live items in fp32, and what tells two indexes, or two items, apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import InputError
from ...kernel import decode_rows
from ..index import Index, IndexSettings
from ..index.incoming import EncodedItems, EncodedRows
from ..searcher import FRAGMENTS, VECTOR

_OF_NO_MATTER = ("name", "checkpoint")  # a model's name, and where it lies


class Item(NamedTuple):
    """One item on its way to Qdrant. file: with its directory; vectors: by field (l, d) float32; digest: the checksum
    of all this, as stored.
    """

    id: str
    file: str
    vectors: dict[str, np.ndarray]
    digest: str


def pushed_fields(settings: IndexSettings) -> dict[str, int]:
    """Return the dimensions of the fields that Qdrant searches, by name.

    Raises InputError if the index has no fragments.
    """
    if FRAGMENTS not in settings.fields:
        raise InputError(
            f"an index without the field {FRAGMENTS} cannot be pushed; it has {', '.join(settings.fields)}"
        )
    return {name: settings.fields[name].dim for name in (FRAGMENTS, VECTOR) if name in settings.fields}


def fingerprint(settings: IndexSettings) -> str:
    """Return what is the same for two indexes whose items may be searched together: same side, dimensions and models,
    whatever the precision and the data.
    """
    origins = [settings.origin.get(model, {}) for model in ("model", "first")]
    models = [{key: value for key, value in origin.items() if key not in _OF_NO_MATTER} for origin in origins]
    return _digest(json.dumps([settings.holds, pushed_fields(settings), models], sort_keys=True).encode())


def state(index: Index) -> str:
    """Return what is another one after every commit, and in every index: names of segments hold a random part."""
    return _digest(repr([(entry.name, entry.deleted_file) for entry in index.manifest.segments]).encode())


def has_one_fragment(index: Index) -> bool:
    """Return whether every item has one fragment: F's index."""
    return all(entry.rows_per_item.get(FRAGMENTS) == 1 for entry in index.manifest.segments)


def blocks(index: Index) -> Iterator[list[Item]]:
    """Yield the live items, in blocks of bounded memory."""
    fields = pushed_fields(index.settings)
    for segment in index.segments:
        for stored in segment.live_items():
            yield _decode(stored, fields, index.settings)


def _decode(stored: EncodedItems, fields: dict[str, int], settings: IndexSettings) -> list[Item]:
    root = settings.origin.get("data", {}).get("image_root", "")
    ends = {name: np.cumsum(stored.fields[name].lengths) for name in fields}
    items = []
    for number, (id, line) in enumerate(zip(stored.ids, stored.lines)):
        file = line.rstrip(b"\n").split(b"\t")[1].decode("utf-8")
        file = str(Path(root, file)) if file and root else file
        vectors, contents = {}, [file.encode("utf-8")]
        for name, dim in fields.items():
            rows: EncodedRows = stored.fields[name]
            part = slice(int(ends[name][number] - rows.lengths[number]), int(ends[name][number]))
            scales = None if rows.scales is None else rows.scales[part]
            vectors[name] = decode_rows(
                rows.values[part], scales, settings.fields[name].precision, dim, settings.fields[name].center_vector
            )
            contents += [rows.values[part].tobytes(), b"" if scales is None else scales.tobytes()]
        items.append(Item(id, file, vectors, _digest(*contents)))
    return items


def _digest(*contents: bytes) -> str:
    digest = blake2b(digest_size=8)
    for content in contents:
        digest.update(b"%d " % len(content))
        digest.update(content)
    return digest.hexdigest()
