"""Recall at K: pure functions of a score matrix. Ties count against us."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .errors import InputError

FOLD = 1000  # images in a fold of the 1K protocols
ROWS = 256  # rows of a matrix of scores that are compared at once
PROTOCOLS = ("full", "first1k", "fold5")


class Direction(NamedTuple):
    """Recalls in percent and the median rank (1 is best) of one direction."""

    r1: float
    r5: float
    r10: float
    medr: float


class Recalls(NamedTuple):
    """Both directions: text to image, image to text."""

    t2i: Direction
    i2t: Direction

    @property
    def rsum(self) -> float:
        """Return the sum of the six recalls, 600 at best."""
        return sum(self.t2i[:3]) + sum(self.i2t[:3])


def recalls(scores: np.ndarray, caption_image: np.ndarray) -> Recalls:
    """Return the recalls in both directions.

    Args:
        scores: (images, captions), higher is better.
        caption_image: (captions,) the row of each caption's image; any number of
            captions an image, but at least one.

    >>> scores = np.array([[0.9, 0.4, 0.7], [0.2, 0.6, 0.5]])
    >>> found = recalls(scores, np.array([0, 0, 1]))
    >>> found.i2t
    Direction(r1=50.0, r5=100.0, r10=100.0, medr=1.0)
    >>> round(found.rsum, 1)
    483.3
    """
    return Recalls(
        _direction(text_to_image_ranks(scores, caption_image)), _direction(image_to_text_ranks(scores, caption_image))
    )


def text_to_image_ranks(scores: np.ndarray, caption_image: np.ndarray) -> np.ndarray:
    """Return, for each caption, the number of other images that score as well as its own or better.

    >>> text_to_image_ranks(np.array([[0.9, 0.4, 0.7], [0.2, 0.6, 0.5]]), np.array([0, 0, 1]))
    array([0, 1, 1])
    """
    own = _own(scores, caption_image)
    return sum((scores[rows] >= own).sum(0) for rows in _parts(len(scores))) - 1


def image_to_text_ranks(scores: np.ndarray, caption_image: np.ndarray) -> np.ndarray:
    """Return, for each image, how many captions of others score as well as the best of its own or better.

    >>> image_to_text_ranks(np.array([[0.9, 0.4, 0.7], [0.2, 0.6, 0.5]]), np.array([0, 0, 1]))
    array([0, 1])
    """
    own, best_own = _own(scores, caption_image), np.full(len(scores), -np.inf, scores.dtype)
    np.maximum.at(best_own, caption_image, own)
    as_good = np.concatenate([(scores[rows] >= best_own[rows, None]).sum(1) for rows in _parts(len(scores))])
    return as_good - np.bincount(caption_image[own >= best_own[caption_image]], minlength=len(scores))


def _own(scores: np.ndarray, caption_image: np.ndarray) -> np.ndarray:
    """Return the score of each caption with its image, (captions,)."""
    return scores[caption_image, np.arange(scores.shape[1])]


def _parts(images: int) -> list[slice]:
    """Cut images into some at a time: what is compared is not held for all of them."""
    return [slice(start, start + ROWS) for start in range(0, images, ROWS)]


def best_candidates(scores: np.ndarray, n: int) -> np.ndarray:
    """Return the candidates (queries, n) with the highest scores (queries, candidates), best first; ties by position.

    >>> best_candidates(np.array([[0.1, 0.9, 0.5], [0.7, 0.2, 0.7]]), 2)
    array([[1, 2],
           [0, 2]])
    """
    return np.argsort(-scores, axis=1, kind="stable")[:, :n]


def reranked_recalls(scores: np.ndarray, caption_image: np.ndarray, by_text, by_image) -> Recalls:
    """Return the recalls after the best candidates of each query were put into another order.

    Args:
        scores: (images, captions) that chose the candidates; the others keep their places after them.
        caption_image: (captions,) the row of each caption's image.
        by_text: (captions, n) candidate images and their new scores, of the same shape.
        by_image: (images, n) candidate captions and their new scores.

    >>> scores, caption_image = np.array([[0.9, 0.8], [0.2, 0.6]]), np.array([0, 1])
    >>> by_text = best_candidates(scores.T, 2), np.array([[3.0, 1.0], [1.0, 2.0]])
    >>> by_image = best_candidates(scores, 1), np.array([[1.0], [1.0]])
    >>> recalls(scores, caption_image).t2i.r1, reranked_recalls(scores, caption_image, by_text, by_image).t2i.r1
    (50.0, 100.0)
    """
    own_image = by_text[0] == caption_image[:, None]
    own_caption = caption_image[by_image[0]] == np.arange(len(scores))[:, None]
    t2i = _reranked(own_image, by_text[1], text_to_image_ranks(scores, caption_image))
    i2t = _reranked(own_caption, by_image[1], image_to_text_ranks(scores, caption_image))
    return Recalls(_direction(t2i), _direction(i2t))


def _reranked(own: np.ndarray, scores: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return ranks by the new scores (queries, n) where a query's ``own`` is among its candidates, else as before."""
    best_own = np.where(own, scores, -np.inf).max(1, initial=-np.inf)
    reranked = ((scores >= best_own[:, None]) & ~own).sum(1)
    return np.where(own.any(1), reranked, np.maximum(ranks, own.shape[1]))


def protocol_folds(protocol: str, n_images: int) -> list[slice]:
    """Return the slices of images that ``protocol`` evaluates apart and averages.

    full: all images at once. first1k: images 0 to 999, as the paper's MSCOCO1K. fold5:
    consecutive thousands (the usual 1K protocol: five folds of MSCOCO's 5,000). Raises InputError
    where the split has too few images, or no whole thousands.

    >>> protocol_folds("fold5", 2000)
    [slice(0, 1000, None), slice(1000, 2000, None)]
    """
    if protocol == "full":
        return [slice(0, n_images)]
    if protocol == "first1k":
        if n_images < FOLD:
            raise InputError(f"protocol first1k needs {FOLD} images, the split has {n_images}; use full")
        return [slice(0, FOLD)]
    if n_images == 0 or n_images % FOLD:
        needs = "needs whole thousands of images"
        raise InputError(f"protocol fold5 {needs}, the split has {n_images}; use full or first1k")
    return [slice(start, start + FOLD) for start in range(0, n_images, FOLD)]


def mean_recalls(folds: list[Recalls]) -> Recalls:
    """Return the mean over folds of each number.

    >>> folds = [Recalls(Direction(r1, 90.0, 99.0, 1.0), Direction(60.0, 80.0, 90.0, 2.0)) for r1 in (50.0, 60.0)]
    >>> mean_recalls(folds).t2i
    Direction(r1=55.0, r5=90.0, r10=99.0, medr=1.0)
    """
    sides = ([getattr(fold, side) for fold in folds] for side in Recalls._fields)
    return Recalls(*(Direction(*np.mean(side, axis=0).tolist()) for side in sides))


def _direction(ranks: np.ndarray) -> Direction:
    """Reduce ranks (queries,), 0 for the best, to the numbers of one direction."""
    percent = (100.0 * int((ranks < k).sum()) / len(ranks) for k in (1, 5, 10))
    return Direction(*percent, medr=float(np.floor(np.median(ranks)) + 1))
