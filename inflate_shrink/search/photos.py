"""What an index keeps of how its photos were described, so that a new photo can be searched with."""

from __future__ import annotations

from ..data.extractors import EXTRACTION
from ..data.store import Store
from ..errors import InputError
from ..extract.record import PhotoDescriber
from ..json_values import JsonMapping
from .index import MANIFEST, Index


def recorded(store: Store) -> dict:
    """Return JSON values for what an index says of a data set: its extractor's line and its record; {} without one."""
    return {key: store.meta[key] for key in ("extractor", EXTRACTION)} if EXTRACTION in store.meta else {}


def is_recorded(index: Index) -> bool:
    """Return whether an index says how its photos were described."""
    return any(EXTRACTION in part for part in index.manifest.data)


def open_describer(index: Index, backbone: str = "", detector: str = "") -> PhotoDescriber:
    """Return what describes a photo as those of the index's data were.

    Args:
        backbone, detector: files of the networks, where they have moved.

    Raises:
        InputError: no data set of the index has a record, or as of :class:`..extract.record.PhotoDescriber`.
    """
    for number, part in enumerate(index.manifest.data):
        if EXTRACTION in part:
            data = JsonMapping(part, index.directory / MANIFEST, "build the index again", f"data[{number}]")
            return PhotoDescriber(data.mapping(EXTRACTION), data.text("extractor"), index.directory, backbone, detector)
    raise InputError(
        f"{index.directory}: does not record which networks described its photos, so a new one cannot be described;"
        " describe them with tools/extract_regions.py (--reuse takes what an earlier version of it made) and build"
        " the index again"
    )
