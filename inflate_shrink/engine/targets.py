"""Vectors that a student with one vector a side can regress to: the teacher's scores of all pairs, factorised.

They are the fitted vectors of :mod:`inflate_shrink.fitted`: of an image from its exact scores with a sample of captions,
of a caption from its own fragments. Their products hold what the teacher says of any caption and image of the training
split, where a batch shows its own pairs alone.
"""

from __future__ import annotations

from typing import Callable

import numpy as np
import paddle

from ..data.batches import Batch
from ..data.tokenized import TrainingData
from ..errors import InputError
from ..fitted import FitSettings, fit, fit_items
from ..kernel import scores
from ..model.encoder import DualEncoder
from ..scoring import Fragments
from .encode import encode_images, encode_texts, stored
from .teacher import Teacher

SAMPLE_TEXTS, SAMPLE_IMAGES = 4096, 2048  # that the vectors are fitted on
_CHUNK = 4096  # captions whose fragments are in memory
_RIDGE = 0.01  # of the maps that a student starts with, in units of the mean variance


class FactorisedTargets:
    """Unit vectors of all captions and images of the training split.

    Args:
        teacher: with its fragments on disk, which are scored by late interaction.
        dimensions: of the vectors; what is more than the scores have is 0.

    Raises InputError if the teacher has no fragments on disk, or scores them in another way.
    """

    def __init__(self, teacher: Teacher, data: TrainingData, dimensions: int, seed: int, log: Callable[[str], None]):
        if teacher.cache is None or teacher.model.config.scoring != "late_interaction":
            why = "the fragments of a teacher by late interaction, on disk: raise distill.cache_gb, or set it to 0"
            raise InputError(f"distill.vectors: needs {why} ({teacher.directory})")
        texts, images = len(data.train.ids), len(data.train.split.image_rows)
        random = np.random.default_rng(seed)
        sample = teacher.texts(np.sort(random.permutation(texts)[:SAMPLE_TEXTS]))

        def exact(chosen: np.ndarray) -> np.ndarray:
            return scores(sample, stored(teacher.images(chosen), "int8"))

        log(f"distill.vectors: fitting {dimensions} numbers to the scores of {len(sample)} captions, {images} images")
        some = exact(np.sort(random.permutation(images)[:SAMPLE_IMAGES]))
        fitted = fit(sample, some, FitSettings(rank=dimensions, seed=seed))
        parts = (np.arange(begin, min(begin + _CHUNK, texts)) for begin in range(0, texts, _CHUNK))
        self.texts = _unit(np.concatenate([fitted.features(teacher.texts(part)) for part in parts]), dimensions)
        self.images = _unit(fit_items(fitted, exact, images), dimensions)

    def distance(self, batch: Batch, text: Fragments, image: Fragments) -> paddle.Tensor:
        """Return the sum over the batch of 1 - cosine of each vector with its target, of both sides."""
        total = 0.0
        for found, target in ((text, self.texts[batch.captions]), (image, self.images[batch.images])):
            vectors = found.vectors[:, 0].astype("float32")
            total = total + (1 - (vectors * paddle.to_tensor(target)).sum(-1)).sum()
        return total

    def start(self, model: DualEncoder, data: TrainingData) -> None:
        """Let the maps of a model that pools begin as the best linear ones from its vectors to these, by ridge."""
        model.eval()
        found = encode_texts(model, data.train.ids), encode_images(model, data.store, data.train.split.image_rows)
        maps = model.pooling.text_map, model.pooling.image_map
        for each, encoded, target in zip(maps, found, (self.texts, self.images)):
            vectors = encoded.vectors[:, 0].numpy().astype(np.float64)
            gram = vectors.T @ vectors
            gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
            each.weight.set_value(np.linalg.solve(gram, vectors.T @ target).astype(np.float32))


def _unit(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.pad(vectors, ((0, 0), (0, dimensions - vectors.shape[1])))
