"""The score of late interaction in blocks: what the parts of a text find among the parts of an image.

Parts are words, padding and inflating codes on one side, regions, padding and codes on the other. A text fragment adds
the best cosine of one part; over all parts it is the best of these, so blocks of one text part do not add up to it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import paddle

from .fragments import BLOCK_ELEMENTS, as_rows

_NEVER = -1e4  # below every product; twice as much is added to those of no part


class ScoreBlocks(NamedTuple):
    """The blocks of some scores.

    scores: (P, Q + 1, I, T) float32 of each text part against each image part, the last against all of them.
    won: (P, m) int64, how often each image position was the best for a fragment of a text part, over all pairs.
    won_own: the same over the pairs of a text with its own image.
    """

    scores: np.ndarray
    won: np.ndarray
    won_own: np.ndarray


def score_blocks(
    text: paddle.Tensor,
    image: paddle.Tensor,
    text_parts: np.ndarray,
    image_parts: np.ndarray,
    own_image: np.ndarray,
    block_elements: int = BLOCK_ELEMENTS,
) -> ScoreBlocks:
    """Split the scores of every image with every text.

    Args:
        text, image: vectors (T, l, d) and (I, m, d).
        text_parts, image_parts: (P, T, l) and (Q, I, m) bool, which fragments are of a part; of no part: not scored.
            A part that an image has nothing of scores 0.
        own_image: (T,) the row of each text's image.
        block_elements: bound on the similarities held at once.

    >>> text = paddle.to_tensor([[[1.0, 0.0], [0.0, 1.0]]])  # a word and a code
    >>> image = paddle.to_tensor([[[0.6, 0.8], [0.8, 0.6]]])  # a region and a code
    >>> parts = np.array([[[True, False]], [[False, True]]])
    >>> blocks = score_blocks(text, image, parts, parts, np.array([0]))
    >>> blocks.scores[..., 0, 0].astype(float).round(1).tolist()  # words, codes: against regions, codes, all
    [[0.6, 0.8, 0.8], [0.8, 0.6, 0.8]]
    >>> blocks.won.tolist()  # the code for the word, the region for the code
    [[0, 1], [1, 0]]
    """
    (n_text, l), (n_image, m) = text.shape[:2], image.shape[:2]
    scores = np.empty((len(text_parts), len(image_parts) + 1, n_image, n_text), np.float32)
    won, won_own = np.zeros((2, len(text_parts), m), np.int64)
    step = max(1, block_elements // (n_text * l * m))
    for start in range(0, n_image, step):
        rows = slice(start, min(start + step, n_image))
        best, choice = _best(text, image[rows], image_parts[:, rows])
        texts = np.flatnonzero((own_image >= rows.start) & (own_image < rows.stop))
        own = choice[texts, :, own_image[texts] - rows.start]
        for part, chosen in enumerate(text_parts):
            scores[part, :, rows] = np.einsum("qtli,tl->qit", best, chosen.astype(np.float32))
            won[part] += np.bincount(choice[chosen].ravel(), minlength=m)
            won_own[part] += np.bincount(own[chosen[texts]], minlength=m)
    return ScoreBlocks(scores, won, won_own)


def _best(text: paddle.Tensor, image: paddle.Tensor, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each text fragment's best cosine in each part and in all, (Q + 1, T, l, I), and where it is, (T, l, I)."""
    cosines = paddle.matmul(as_rows(text), as_rows(image), transpose_y=True)
    cosines = cosines.reshape([*text.shape[:2], *image.shape[:2]])
    best = np.stack([_best_of(cosines, part) for part in parts])
    best = np.concatenate([best, best.max(0, keepdims=True)])
    choice = _only(cosines, parts.any(0)).argmax(-1).numpy()
    return np.where(best < _NEVER, 0, best), choice


def _best_of(cosines: paddle.Tensor, part: np.ndarray) -> np.ndarray:
    """Return the best of the cosines (T, l, I, m) with a part (I, m), (T, l, I); below _NEVER where there is none."""
    held = np.flatnonzero(part.any(0))
    columns = (
        slice(held[0], held[-1] + 1) if len(held) else slice(1)
    )  # most parts lie together: the others are not read
    return _only(cosines[..., columns], part[:, columns]).max(-1).numpy()


def _only(cosines: paddle.Tensor, part: np.ndarray) -> paddle.Tensor:
    return cosines if part.all() else cosines + paddle.to_tensor(np.where(part, 0, 2 * _NEVER).astype(np.float32))
