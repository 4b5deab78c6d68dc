"""What a checkpoint keeps of how the photos of its training data were described, so that new ones can be encoded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.extractors import EXTRACTION
from ..data.store import Store
from ..errors import InputError
from ..json_values import JsonMapping
from .checkpoint import Checkpoint

if TYPE_CHECKING:
    from ..extract.record import PhotoDescriber


def describing(store: Store) -> dict:
    """Return JSON values for what a checkpoint says of the regions it was trained on: as
    :attr:`..data.store.Store.regions_made_by`, and the record of how a photo is described, where there is one."""
    return {**store.regions_made_by, **{key: store.meta[key] for key in [EXTRACTION] if key in store.meta}}


def open_describer(
    checkpoint: Checkpoint, backbone: str | os.PathLike = "", detector: str | os.PathLike = ""
) -> PhotoDescriber:
    """Return what describes a photo as those were that the checkpoint was trained on.

    A checkpoint of before has no record; then that of its data set is taken, if it is there still and of the same
    extractor.

    Args:
        backbone, detector: files of the networks, where they have moved.

    Raises:
        InputError: neither has a record, or as of :class:`..extract.record.PhotoDescriber`.
    """
    from ..extract.record import PhotoDescriber  # imports Pillow, which training does without

    made_by, file = checkpoint.state.get("regions"), checkpoint.directory / "state.json"
    data = Path(checkpoint.config.data.dir)
    if not (isinstance(made_by, dict) and EXTRACTION in made_by) and data.is_dir():
        made_by, file = describing(checkpoint.open_data(data)), data / "meta.json"
    if not isinstance(made_by, dict) or EXTRACTION not in made_by:
        raise InputError(
            f"{checkpoint.directory}: does not record which networks described the photos it was trained on, so others"
            " cannot be described; give it regions, or train on a data set of tools/extract_regions.py"
        )
    kept = JsonMapping(made_by, file, where="regions")
    return PhotoDescriber(
        kept.mapping(EXTRACTION), kept.text("extractor"), checkpoint.directory, str(backbone), str(detector)
    )
