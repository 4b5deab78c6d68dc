"""What a data set records of how its photos were described, and the description of a new photo in the same way.

``meta.json`` has it under :data:`..data.extractors.EXTRACTION`; the networks' checksums are in its line ``extractor``.
"""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ..data.clustering import MOST_REGIONS, cluster_regions
from ..data.extractors import CLUSTERINGS, POWER, WHOLE, clustering_record, same_extractor
from ..errors import InputError
from ..json_values import JsonMapping
from .extractor import Extractor, ExtractorSettings, describe_extractor
from .named import NAMES
from .photos import MAX_BYTES
from .presets import BACKBONES, DETECTORS

_MOST_SIZE = 1 << 12  # pixels of the shorter side: a record is a file that anyone may have made
_NETWORKS = ("backbone", "detector")
_WEIGHTS = "backbone_weights"
_YOUNGER = {
    WHOLE: False,
    POWER: 1.0,
    _WEIGHTS: "",
}  # options with what a record means that lacks them, as older ones do


def extraction_record(settings: ExtractorSettings, regions: int, dtype: str) -> dict:
    """Return JSON values: the networks' paths or names, the options, and how an image's regions were reduced and
    rounded.
    """
    options = {key: value for key, value in asdict(settings).items() if (key, value) not in _YOUNGER.items()}
    for key in (*_NETWORKS, _WEIGHTS):
        if options.get(key) and options[key] not in NAMES:
            options[key] = os.path.abspath(options[key])
    return {**options, CLUSTERINGS: [clustering_record(regions, dtype)]}


class PhotoDescriber:
    """Callable: a photo to its regions, as a data set would hold them. Threads may share it.

    Args:
        record: of :func:`extraction_record`, checked here.
        extractor: the data set's line of that name, with the networks' checksums, which are compared before a network
            is opened.
        where: what messages call the data set or the index.
        backbone, detector: files of the networks, where they are no longer at the recorded paths; of a backbone by name
            its weights.

    Raises:
        InputError: the record is damaged, a network is missing, another than the recorded one or cannot be opened.
    """

    def __init__(
        self, record: JsonMapping, extractor: str, where: str | os.PathLike, backbone: str = "", detector: str = ""
    ):
        settings = ExtractorSettings(
            backbone=record.text("backbone"),
            backbone_preset=record.text("backbone_preset", tuple(BACKBONES)),
            detector=record.text("detector"),
            detector_preset=record.text("detector_preset", tuple(DETECTORS)),
            size=record.whole("size", 32, _MOST_SIZE),
            boxes=record.whole("boxes", 1, MOST_REGIONS),
            whole=record.flag(WHOLE),
            power=record.fraction(POWER),
            backbone_weights=record.text(_WEIGHTS) if _WEIGHTS in record else "",
        )
        self._clusterings = [
            (part.whole("regions", 1 + settings.whole), part.text("dtype", ("float16", "float32")))
            for part in record.mappings(CLUSTERINGS)
        ]
        if not self._clusterings:
            raise record.damaged(CLUSTERINGS, "expected one or more, found none")
        if detector and not settings.detector:
            raise InputError(f"{where}: its photos were described without a detector; leave out --detector")
        for name, given in zip((*_NETWORKS, _WEIGHTS), (backbone, detector, backbone)):
            recorded = getattr(settings, name)
            if recorded and recorded not in NAMES and not given and not Path(recorded).is_file():
                option = name.partition("_")[0]
                raise InputError(
                    f"{recorded}: not there, the {name.replace('_', ' ')} that described the photos of {where}; "
                    f"give its file as --{option}"
                )
        if settings.backbone in NAMES and backbone not in ("", *NAMES):
            settings = replace(settings, backbone_weights=backbone)
        elif backbone:
            settings = replace(settings, backbone=backbone, backbone_weights="")
        settings = replace(settings, detector=detector or settings.detector)
        found = describe_extractor(settings)
        if not extractor or not same_extractor(found, extractor):
            raise InputError(
                f"{where}: its photos were described by {extractor!r}, here are {found!r}; "
                "give the same networks as --backbone and --detector"
            )
        # Its networks run on one thread each, as when the data set was made: more threads round otherwise.
        self._extractor = Extractor(settings)

    def __call__(self, data: bytes, where: str) -> np.ndarray:
        """Return the regions (m, D) float32 of a photo.

        Args:
            data: the whole file, of :func:`read_photo`.
            where: what messages call it.

        Raises:
            InputError: it is no photo, is damaged or cannot be described.
        """
        found = self._extractor.describe(data, where, clusters=self._clusterings[0][0])
        features, boxes = found.features, found.boxes
        for regions, dtype in self._clusterings:
            # the first time changes nothing: that is done
            features, boxes = cluster_regions(features, boxes, regions, int(self._extractor.settings.whole))
            with np.errstate(over="ignore"):
                features = features.astype(dtype).astype(np.float32)
        if not np.isfinite(features).all():
            raise InputError(
                f"{where}: a feature is NaN, infinite or too large for the data set's numbers; is it the right photo?"
            )
        return features


def read_photo(path: str | os.PathLike) -> bytes:
    """Return the bytes of a file; raises InputError if it is missing, unreadable or larger than photos are."""
    if not Path(path).is_file():
        raise InputError(
            f"{path}: no such photo; give the file of one, or with --data DIR the id of an image of that data set"
        )
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: more than the limit of {MAX_BYTES} bytes; make it smaller")
    return data
