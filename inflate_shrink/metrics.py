"""Recall at K: pure functions of a score matrix. Ties count against us."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .errors import InputError

FOLD = 1000  # images in a fold of the 1K protocols
ROWS = 256  # of a matrix of scores, compared at once
PROTOCOLS = ("full", "first1k", "fold5")


class Direction(NamedTuple):
    """Recalls in percent and the median rank (1 is best) of one direction."""

    r1: float
    r5: float
    r10: float
    medr: float


class Recalls(NamedTuple):
    t2i: Direction
    i2t: Direction

    @property
    def rsum(self) -> float:
        return sum(self.t2i[:3]) + sum(self.i2t[:3])


def recalls(scores: np.ndarray, caption_image: np.ndarray) -> Recalls:
    """Recalls in both directions.

    Args:
        scores: (images, captions), higher is better.
        caption_image: (captions,) the row of each caption's image; any number of
            captions an image, but at least one.
    """
    return Recalls(_direction(text_to_image_ranks(scores, caption_image)), _direction(image_to_text_ranks(scores, caption_image)))


def text_to_image_ranks(scores: np.ndarray, caption_image: np.ndarray) -> np.ndarray:
    """For each caption, the number of other images that score as well as its own or better."""
    own = _own(scores, caption_image)
    return sum((scores[rows] >= own).sum(0) for rows in _parts(len(scores))) - 1


def image_to_text_ranks(scores: np.ndarray, caption_image: np.ndarray) -> np.ndarray:
    """For each image, the number of others' captions that score as well as the best of its own or better."""
    own, best_own = _own(scores, caption_image), np.full(len(scores), -np.inf, scores.dtype)
    np.maximum.at(best_own, caption_image, own)
    as_good = np.concatenate([(scores[rows] >= best_own[rows, None]).sum(1) for rows in _parts(len(scores))])
    return as_good - np.bincount(caption_image[own >= best_own[caption_image]], minlength=len(scores))


def _own(scores: np.ndarray, caption_image: np.ndarray) -> np.ndarray:
    """(captions,) the score of each caption with its image."""
    return scores[caption_image, np.arange(scores.shape[1])]


def _parts(images: int) -> list[slice]:
    """Some rows at a time: what is compared is not held for all of them."""
    return [slice(start, start + ROWS) for start in range(0, images, ROWS)]


def best_candidates(scores: np.ndarray, n: int) -> np.ndarray:
    """(queries, n) the candidates with the highest scores (queries, candidates), best first; ties by position."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :n]


def reranked_recalls(scores: np.ndarray, caption_image: np.ndarray, by_text, by_image) -> Recalls:
    """Recalls after the best candidates of each query were put into another order.

    Args:
        scores: (images, captions) that chose the candidates; the others keep their places after them.
        caption_image: (captions,) the row of each caption's image.
        by_text: (captions, n) candidate images and their new scores, of the same shape.
        by_image: (images, n) candidate captions and their new scores.
    """
    own_image = by_text[0] == caption_image[:, None]
    own_caption = caption_image[by_image[0]] == np.arange(len(scores))[:, None]
    t2i = _reranked(own_image, by_text[1], text_to_image_ranks(scores, caption_image))
    i2t = _reranked(own_caption, by_image[1], image_to_text_ranks(scores, caption_image))
    return Recalls(_direction(t2i), _direction(i2t))


def _reranked(own: np.ndarray, scores: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Ranks by the new scores (queries, n) where one of the query's ``own`` is among its candidates, else as before."""
    best_own = np.where(own, scores, -np.inf).max(1, initial=-np.inf)
    reranked = ((scores >= best_own[:, None]) & ~own).sum(1)
    return np.where(own.any(1), reranked, np.maximum(ranks, own.shape[1]))


def protocol_folds(protocol: str, n_images: int) -> list[slice]:
    """The slices of images that ``protocol`` evaluates apart and averages.

    full: all images at once. first1k: images 0 to 999, as the paper's MSCOCO1K. fold5:
    consecutive thousands (the usual 1K protocol: five folds of MSCOCO's 5,000).
    """
    if protocol == "full":
        return [slice(0, n_images)]
    if protocol == "first1k":
        if n_images < FOLD:
            raise InputError(f"protocol first1k needs {FOLD} images, the split has {n_images}; use full")
        return [slice(0, FOLD)]
    if n_images == 0 or n_images % FOLD:
        raise InputError(f"protocol fold5 needs whole thousands of images, the split has {n_images}; use full or first1k")
    return [slice(start, start + FOLD) for start in range(0, n_images, FOLD)]


def mean_recalls(folds: list[Recalls]) -> Recalls:
    """The mean over folds of each number."""
    return Recalls(*(Direction(*np.mean([getattr(fold, side) for fold in folds], axis=0).tolist()) for side in Recalls._fields))


def _direction(ranks: np.ndarray) -> Direction:
    return Direction(*(100.0 * int((ranks < k).sum()) / len(ranks) for k in (1, 5, 10)), medr=float(np.floor(np.median(ranks)) + 1))
