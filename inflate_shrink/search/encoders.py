"""What encodes the queries of an index: the model's exported encoders, each opened at its first use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Callable, Optional, Tuple

import numpy as np

from ..data.text import CaptionTokenizer
from ..errors import InputError
from .encoder.encoders import ImageEncoder, QueryEncoder
from .encoder.files import ONNX
from .index import Index

if TYPE_CHECKING:
    from ..extract.record import PhotoDescriber
    from .clip.encoders import ClipEncoders

ENCODER, FIRST_ENCODER = "encoder", "first_encoder"  # constant files of an index: of its queries
IMAGE_ENCODER, FIRST_IMAGE_ENCODER = "image_encoder", "first_image_encoder"  # where photos are to find images
CLIP = "clip"  # where an index of photos by a CLIP keeps it, and its key of the origin

Query = Tuple[
    np.ndarray, Optional[np.ndarray]
]  # fragments (l, d) float32, and a first stage's vector (d,) if asked for


class ModelEncoders:
    """Encoders of texts and images, of a model and the F of its first stage, if any. Threads may share them.

    Args:
        index: that keeps them.
        threads: cores to use; 0: all that this process may use.
        backend: what runs them, "paddle" or "onnx"; "": onnx where the index has ONNX files.
    """

    def __init__(self, index: Index, threads: int = 0, backend: str = ""):
        self._index, self._threads, self._backend = index, threads, backend
        self._lock = threading.Lock()  # guards what is opened at the first use
        self._encoders: dict[str, QueryEncoder | ImageEncoder] = {}
        # The keys are the paths of the networks that were given.
        self._describers: dict[tuple[str, str], PhotoDescriber] = {}

    @property
    def tokenizer(self) -> CaptionTokenizer:
        """Return the tokenizer of the encoder of texts."""
        return self._encoder(QueryEncoder, ENCODER).tokenizer

    def text(self, query: str, vector: bool) -> Query:
        """Return a text's fragments, and with ``vector`` F's vector."""
        return _encoded(lambda name: self._encoder(QueryEncoder, name)([query]), vector, (ENCODER, FIRST_ENCODER))

    def image(self, regions: np.ndarray, vector: bool) -> Query:
        """Return the same of an image, given its regions (m, region_dim); raises InputError without such an encoder."""
        self._require_image_encoder()
        of_images = self._index.settings.holds == "images"
        names = (IMAGE_ENCODER, FIRST_IMAGE_ENCODER) if of_images else (ENCODER, FIRST_ENCODER)
        counts = np.array([len(regions)])
        return _encoded(lambda name: self._encoder(ImageEncoder, name)(regions[None], counts), vector, names)

    @property
    def takes_photos(self) -> bool:
        """Return whether the index records what describes a photo, and keeps what encodes it."""
        from .photos import is_recorded

        return self._has_image_encoder and is_recorded(self._index)

    def describe(self, data: bytes, where: str, backbone: str = "", detector: str = "") -> np.ndarray:
        """Return the regions (m, region_dim) float32 of a photo's bytes, as :meth:`.searcher.Searcher.describe_photo`."""
        from .photos import open_describer  # imports Pillow, which other searches do without

        self._require_image_encoder()
        with self._lock:
            if (backbone, detector) not in self._describers:
                self._describers[backbone, detector] = open_describer(self._index, backbone, detector)
            describer = self._describers[backbone, detector]
        return describer(data, where)

    @property
    def _has_image_encoder(self) -> bool:
        return self._index.settings.holds == "captions" or (self._index.directory / IMAGE_ENCODER).is_dir()

    def _require_image_encoder(self) -> None:
        if not self._has_image_encoder:
            raise InputError(
                f"{self._index.directory}: an index of images; search it with a text, "
                "or build it with --photos to search it by a photo too"
            )

    def _encoder(self, kind: type, name: str) -> QueryEncoder | ImageEncoder:
        with self._lock:
            if name not in self._encoders:
                backend = self._backend or ("onnx" if f"{name}/{ONNX}" in self._index.manifest.files else "paddle")
                encoder = kind(self._index.directory / name, self._threads, backend)
                if name in (IMAGE_ENCODER, FIRST_IMAGE_ENCODER):  # tools/export.py may have put it there
                    model = self._index.origin.mapping("model" if name == IMAGE_ENCODER else "first")
                    encoder.require_weights(model.text("fingerprint"))
                self._encoders[name] = encoder
            return self._encoders[name]


def _encoded(encode: Callable[[str], list[np.ndarray]], vector: bool, names: tuple[str, str]) -> Query:
    (fragments,) = encode(names[0])
    return fragments, encode(names[1])[0][0] if vector else None


def open_encoders(index: Index, threads: int = 0, backend: str = "") -> ModelEncoders | ClipEncoders:
    """Return what encodes the queries of an index of any kind; nothing is opened yet."""
    if CLIP in index.origin:
        from .clip.encoders import ClipEncoders

        return ClipEncoders(index, threads)
    return ModelEncoders(index, threads, backend)
