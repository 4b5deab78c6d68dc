"""A trained model for programs: texts and regions in, fragments and scores out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Sequence

import numpy as np
import paddle

from ..errors import InputError
from ..scoring import Fragments
from .checkpoint import Checkpoint, open_checkpoint
from .encode import encode_texts, fill, region_batches
from .photos import open_describer

if TYPE_CHECKING:
    from ..extract.record import PhotoDescriber


def load_model(path: str | os.PathLike) -> LoadedModel:
    """Load the model of a checkpoint directory, or of a run directory (its best checkpoint, else its last).

    Raises:
        InputError: there is no whole checkpoint, or it is a cross-BERT's, which has no fragments.

    >>> model = load_model(RUN)
    >>> texts = model.encode_texts(["a red ball left of a box", "a dog"])
    >>> images = model.encode_images(*STORE.read_regions([0, 1, 2]))
    >>> list(texts.vectors.shape), list(images.vectors.shape)
    ([2, 4, 16], [3, 4, 16])
    >>> list(model.score(texts, images).shape)
    [3, 2]
    """
    return LoadedModel(open_checkpoint(path))


class LoadedModel:
    """A bi-encoder with its tokenizer, in evaluation mode and without gradients. One thread at a time may use it.

    Attributes:
        checkpoint: :class:`.checkpoint.Checkpoint`, with ``config``.
        network: :class:`..model.encoder.DualEncoder`.
    """

    def __init__(self, checkpoint: Checkpoint):
        if checkpoint.config.model.scoring == "cross":
            raise InputError(
                f"{checkpoint.directory}: a cross-BERT scores pairs and has no fragments; load a bi-encoder"
            )
        self.checkpoint = checkpoint
        self._tokenizer, self.network = checkpoint.tokenizer(), checkpoint.load_model()
        self._describers: dict[tuple[str, str], PhotoDescriber] = {}  # by the paths of the networks that were given

    def encode_texts(self, texts: Sequence[str]) -> Fragments:
        """Encode texts to fragments (n, l, D). Raises InputError if there is none, or one of them has no words."""
        _require_list(texts, "texts")
        for number, text in enumerate(texts):
            if not self._tokenizer.word_ids(text):
                raise InputError(f"text {number} is empty; give it words")
        return self._whole(encode_texts(self.network, self._tokenizer(texts)))

    def encode_images(self, regions: np.ndarray, counts: np.ndarray) -> Fragments:
        """Encode images to fragments (n, l, D).

        Args:
            regions: (n, m, region_dim) features, as :meth:`..data.store.Store.read_regions` gives them.
            counts: (n,) how many of the m regions of each image are valid, 1 or more.

        Raises:
            InputError: there is no image, or these are not the shapes and numbers.
        """
        regions, counts, dim = np.asarray(regions, np.float32), np.asarray(counts, np.int64), self.network.region_dim
        if regions.ndim != 3 or regions.shape[2] != dim or counts.shape != regions.shape[:1]:
            raise InputError(
                f"regions and counts of shapes {regions.shape} and {counts.shape}, expected (n, m, {dim}) and (n,)"
            )
        if counts.size and not (1 <= counts.min() and counts.max() <= regions.shape[1]):
            raise InputError(f"counts must be from 1 to {regions.shape[1]}, found {counts.min()} to {counts.max()}")
        return self._whole(fill(len(regions), region_batches(self.network.encode_image, regions, counts)))

    def encode_photos(
        self, files: Sequence[str | os.PathLike], backbone: str | os.PathLike = "", detector: str | os.PathLike = ""
    ) -> Fragments:
        """Encode the files of photos to fragments (n, l, D), described as those were that the model was trained on.

        Args:
            files: photos, of any kind and size that tools/extract_regions.py takes.
            backbone, detector: files of the networks, where they have moved since, or of a backbone by name its
                weights; opened at the first use.

        Raises:
            InputError: there is no photo, a file is none, a network is missing or another one, or the checkpoint does
                not record how its photos were described.

        >>> model = load_model(RUN_OF_PHOTOS)
        >>> images = model.encode_photos([PHOTO])
        >>> list(model.score(model.encode_texts(["photo number 4", "a dog"]), images).shape)
        [1, 2]
        """
        _require_list(files, "files")
        networks = str(backbone), str(detector)
        if networks not in self._describers:
            self._describers[networks] = open_describer(self.checkpoint, *networks)
        from ..extract.record import read_photo  # imports Pillow, which the rest does without

        described = [self._describers[networks](read_photo(file), str(file)) for file in files]
        counts = np.array([len(regions) for regions in described], np.int64)
        dim = described[0].shape[1] if described else self.network.region_dim
        filled = np.zeros((len(described), counts.max(initial=0), dim), np.float32)
        for row, regions in zip(filled, described):
            row[: len(regions)] = regions
        return self.encode_images(filled, counts)

    def score(self, texts: Fragments, images: Fragments) -> paddle.Tensor:
        """Score every image with every text, (images, texts) float32, as the model was trained to."""
        with paddle.no_grad():
            return self.network.score(texts, images)

    @staticmethod
    def _whole(fragments: Fragments | None) -> Fragments:
        if fragments is None:
            raise InputError("nothing to encode; give one text or image at least")
        return fragments


def _require_list(given: Sequence, name: str) -> None:
    """Raise InputError for one text or path, which is a sequence too, where several are expected."""
    if isinstance(given, (str, bytes, os.PathLike)):
        raise InputError(f"{name} must be a list, found {str(given)[:60]!r} alone; put it in [ ]")
