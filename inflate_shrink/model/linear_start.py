"""Word vectors and a region projection learned from the captions by linear algebra.

Regularised canonical correlation between the bag of a caption's WordPieces (tf-idf) and the
mean of its image's regions (Hodosh et al. 2013 use the kernel version as their baseline).
The two projections that make a caption and its image agree best give each piece a vector
and each region a vector in one space: a start from which late interaction already works.
As a model of its own it is the linear baseline that a trained model has to beat.

A BERT may tell which pieces mean the like (:func:`.pretrained.piece_vectors`): its mean vector of a bag's pieces
stands beside the bag, so that what is learned of a piece is learned of those like it. There is still one
vector a piece, of any size.
"""

from __future__ import annotations

from typing import Callable

import numpy as np

from ..data.store import Store
from ..data.tokenized import TokenizedSplit, TrainingData
from ..errors import InputError
from ..metrics import Recalls, recalls
from .encoder import DualEncoder

PIECES = 4096  # the most frequent pieces get a vector
LEAST = 3  # captions that a piece must occur in
RIDGE = 1.0  # added to the covariances, in units of their mean variance
SAMPLE = 256  # images whose regions are looked at for their norm
LIKENESS = 0.5  # how much a BERT's vectors, of norm 1, count beside the pieces themselves
POSITIONS = 0.1  # what is left of positions and token types at the start of a model that pools or weighs words
_CHUNK = 8192  # captions at a time


class LinearModel:
    """Text and image projections into ``dimensions`` canonical directions, best first.

    Args:
        data: its training split is learned from.
        dimensions: at most the number of pieces and of region dimensions.
        vectors_of: a BERT's vectors (n, h) of n pieces; None: there is no BERT.

    Raises InputError if no piece is frequent enough to learn from.
    """

    def __init__(
        self, data: TrainingData, dimensions: int, vectors_of: Callable[[list[str]], np.ndarray] | None = None
    ):
        split, ids = data.train.split, data.train.ids
        images = _mean_regions(data.store, split.image_rows)
        frequency = _piece_counts(ids, data.tokenizer.vocab_size)
        self.pieces = np.argsort(-frequency, kind="stable")[:PIECES]
        self.pieces = self.pieces[frequency[self.pieces] >= LEAST]
        if not len(self.pieces):
            needs = f"needs WordPieces that occur in {LEAST} or more training captions"
            raise InputError(f"model.init: linear {needs}, there is none; set it to none")
        self.idf = np.log(len(ids) / frequency[self.pieces]).astype(np.float32)
        self._column = np.full(data.tokenizer.vocab_size, -1)
        self._column[self.pieces] = np.arange(len(self.pieces))

        words, image_of = len(self.pieces), split.caption_image
        self.image_mean = images[image_of].mean(0)
        moments = np.zeros((words, words)), np.zeros((words, images.shape[1])), np.zeros((images.shape[1],) * 2)
        self.text_mean = sum(self._bags(ids[part]).sum(0) for part in _parts(len(ids))) / len(ids)
        for part in _parts(len(ids)):
            text, image = self._bags(ids[part]) - self.text_mean, images[image_of[part]] - self.image_mean
            for total, product in zip(moments, (text.T @ text, text.T @ image, image.T @ image)):
                total += product
        features = np.eye(words)  # (pieces, features): what is known of a piece
        if vectors_of:
            like = vectors_of([data.tokenizer.pieces[piece] for piece in self.pieces])
            features = np.hstack([features, LIKENESS * _unit(like - like.mean(0))])
            moments = features.T @ moments[0] @ features, features.T @ moments[1], moments[2]
        whiten_text, whiten_image = _inverse_root(moments[0]), _inverse_root(moments[2])
        left, correlation, right = np.linalg.svd(whiten_text @ moments[1] @ whiten_image, full_matrices=False)
        kept = slice(min(dimensions, len(correlation)))
        self.text = (features @ whiten_text @ left[:, kept] * correlation[kept]).astype(np.float32)  # (pieces, k)
        self.image = (whiten_image @ right[kept].T * correlation[kept]).astype(np.float32)  # (region_dim, k)
        self._sample = _regions(data.store, split.image_rows[:SAMPLE])

    def recalls(self, store: Store, data: TokenizedSplit) -> Recalls:
        """Return the recalls of a split by the cosine of caption and image in the canonical directions."""
        text = _unit((self._bags(data.ids) - self.text_mean) @ self.text)
        image = _unit((_mean_regions(store, data.split.image_rows) - self.image_mean) @ self.image)
        return recalls(image @ text.T, data.split.caption_image)

    def start(self, model: DualEncoder) -> None:
        """Put the vectors of pieces and the projection of regions into ``model``, both of mean norm 1 or, where the
        config says, with entries of one root mean square.

        The sizes matter though LayerNorms follow: they say how fast Adam may turn the vectors. A projection of
        mean norm 1 from long features has entries so small that an update or two undo it. Where the model has
        more dimensions, the further ones stay as they are.
        """
        k = self.text.shape[1]
        word, projection = model.text_embedding.word, model.region_embedding.projection
        words, weight, bias = word.weight.numpy(), projection.weight.numpy(), projection.bias.numpy()
        vectors = self.text * self.idf[:, None]
        vectors /= _mean_norm(vectors)
        image = self.image / _mean_norm((self._sample - self.image_mean) @ self.image)
        size, longer = model.config.linear_entries, 1.0
        if size:
            longer = size / _root_mean_square(vectors)
            vectors, image = vectors * longer, image * (size / _root_mean_square(image))
        words[self.pieces, :k] = vectors
        weight[:, :k], bias[:k] = image, -self.image_mean @ image
        for parameter, value in ((word.weight, words), (projection.weight, weight), (projection.bias, bias)):
            parameter.set_value(value)
        if model.pooling or model.config.weighs_words:
            # words alone are weighed, as the linear model has them: what is added to them hardly counts
            for table in (model.text_embedding.position, model.text_embedding.token_type):
                table.weight.set_value(table.weight * (POSITIONS * longer))

    def _bags(self, ids: np.ndarray) -> np.ndarray:
        """Return the tf-idf of each caption, (n, pieces), of norm 1."""
        columns = self._column[ids]
        rows, positions = np.nonzero(columns >= 0)
        bags = np.zeros((len(ids), len(self.pieces)), np.float32)
        bags[rows, columns[rows, positions]] = 1
        return _unit(bags * self.idf)


def _mean_regions(store: Store, rows: np.ndarray) -> np.ndarray:
    """Return a vector of each image, (n, D) float32: its first region if that is the whole photo, or the mean of all."""
    if store.whole_first:
        return np.stack([store.regions[row, 0] for row in rows]).astype(np.float32)
    return np.stack([_regions(store, [row]).mean(0) for row in rows])


def _regions(store: Store, rows) -> np.ndarray:
    """Return all valid regions of some images, (n, D) float32."""
    return np.concatenate([store.regions[row, : store.region_counts[row]] for row in rows]).astype(np.float32)


def _piece_counts(ids: np.ndarray, size: int) -> np.ndarray:
    """Count the captions that each piece occurs in; padding occurs in none."""
    ordered = np.sort(ids, axis=1)
    new = np.concatenate([np.ones((len(ids), 1), bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    counts = np.bincount(ordered[new], minlength=size)
    counts[0] = 0
    return counts


def _inverse_root(covariance: np.ndarray) -> np.ndarray:
    """Return (C + ridge)^(-1/2)."""
    ridge = RIDGE * np.trace(covariance) / len(covariance)
    values, vectors = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
    return (vectors / np.sqrt(values)) @ vectors.T


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt((values.astype(np.float64) ** 2).mean()))


def _mean_norm(vectors: np.ndarray) -> float:
    return float(np.linalg.norm(vectors, axis=1).mean())


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _parts(n: int) -> list[slice]:
    return [slice(start, start + _CHUNK) for start in range(0, n, _CHUNK)]
