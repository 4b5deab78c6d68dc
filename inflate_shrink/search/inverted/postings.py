"""Posting lists: which images each vocabulary piece scores with, made of blocks of images in bounded memory.

offsets.npy         (V + 1,) int64: piece p has the postings offsets[p] to offsets[p + 1]
posting_images.npy  (P,) int32 images, ascending within a piece
posting_scores.npy  (P,) float32 or float16, above 0
"""

from __future__ import annotations

import shutil
from bisect import bisect_left
from pathlib import Path

import numpy as np

from ...data.npy import create_npy
from ...errors import InputError

FILES = ("offsets.npy", "posting_images.npy", "posting_scores.npy")
POSTINGS_AT_ONCE = 1 << 23  # sorted in memory when the lists are written: about 300 MiB


class PostingsWriter:
    """Turns scores that come image by image into lists by piece.

    Blocks of images are kept on disk until the last one is there, so another one and a half times the
    size of the result is needed.

    Args:
        directory: an existing one, for the files.
        top: keep only so many of the best pieces of an image; 0: all that score above 0.
        dtype: of the scores on disk, float32 or float16.
    """

    def __init__(self, directory: Path, top: int = 0, dtype: str = "float32"):
        self.images = self.pieces = 0  # images added so far; V, the size of the vocabulary
        self._directory, self._scratch, self._top = directory, directory / "scratch", top
        self._type = np.dtype([("piece", np.int32), ("image", np.int32), ("score", dtype)])
        self._counts: np.ndarray | int = 0  # (V,) postings of each piece
        self._blocks: list[Path] = []
        self._scratch.mkdir()

    def add(self, scores: np.ndarray) -> None:
        """Append images; scores: (b, V) float32 of every piece with each of them."""
        kept = _best_of_rows(scores, self._top).T.astype(self._type["score"])
        piece, image = np.nonzero(kept > 0)  # sorted by piece, then by image
        if piece.size:
            block = np.empty(len(piece), self._type)
            block["piece"], block["image"], block["score"] = piece, image + self.images, kept[piece, image]
            self._blocks.append(self._scratch / f"{len(self._blocks)}.npy")
            np.save(self._blocks[-1], block)
        self._counts = self._counts + np.bincount(piece, minlength=scores.shape[1])
        self.images, self.pieces = self.images + len(scores), scores.shape[1]

    def finish(self, at_once: int = POSTINGS_AT_ONCE) -> int:
        """Write the lists, so many postings at a time, or one piece if it has more. Returns P.

        Raises:
            InputError: there is not a single posting.
        """
        if not self._blocks:
            raise InputError(
                "no piece of the vocabulary scores above 0 with any image: the model is not trained, "
                "or its training diverged"
            )
        offsets = np.concatenate([[0], np.cumsum(self._counts)])
        np.save(self._directory / FILES[0], offsets)
        count = int(offsets[-1])
        images = create_npy(self._directory / FILES[1], (count,), self._type["image"])
        scores = create_npy(self._directory / FILES[2], (count,), self._type["score"])
        first = 0
        while first < self.pieces:
            last = max(first + 1, np.searchsorted(offsets, offsets[first] + at_once, side="right") - 1)
            postings = self._of_pieces(first, last)
            part = slice(offsets[first], offsets[last])
            images[part], scores[part] = postings["image"], postings["score"]
            first = last
        shutil.rmtree(self._scratch)
        return count

    def _of_pieces(self, first: int, last: int) -> np.ndarray:
        """Return the postings of the pieces from ``first`` to before ``last``, by piece, then by image."""
        parts = []
        for path in self._blocks:
            block = np.load(path, mmap_mode="r")
            start, stop = (bisect_left(block["piece"], piece) for piece in (first, last))
            parts.append(block[start:stop])
        postings = np.concatenate(parts)
        return postings[np.argsort(postings["piece"], kind="stable")]


def _best_of_rows(scores: np.ndarray, top: int) -> np.ndarray:
    """Return ``scores`` with zeros for all but the ``top`` best of each row; 0 keeps all."""
    if not 0 < top < scores.shape[1]:
        return scores
    best = np.argpartition(scores, -top, axis=1)[:, -top:]
    kept = np.zeros_like(scores)
    np.put_along_axis(kept, best, np.take_along_axis(scores, best, 1), 1)
    return kept
