"""Encoded texts and images, and how a matrix of their scores is made block by block."""

from __future__ import annotations

from typing import Callable, NamedTuple

import paddle

BLOCK_ELEMENTS = 1 << 25  # cosines held at a time: 128 MiB in fp32


class Fragments(NamedTuple):
    """The encoded side of texts or images.

    vectors: (n, l, d), L2-normalised where the score is of cosines. mask: (n, l) in the
    vectors' dtype, 1 for fragments that count and 0 for padding; None counts all.

    >>> texts = Fragments(paddle.to_tensor([[[1.0, 0.0], [0.0, 1.0]]]))  # one text of two fragments in two dimensions
    >>> texts.first(1).vectors.tolist(), texts.float_mask().tolist()
    ([[[1.0, 0.0]]], [[1.0, 1.0]])
    """

    vectors: paddle.Tensor
    mask: paddle.Tensor | None = None

    def first(self, fragments: int | str) -> Fragments:
        """Take the first ``fragments`` of each text or image (Table 6); "all" keeps them as they are."""
        return self if fragments == "all" else self._cut((slice(None), slice(fragments)))

    def rows(self, rows: slice) -> Fragments:
        """Take some of the texts or images."""
        return self._cut(rows)

    def float_mask(self) -> paddle.Tensor:
        """Return the mask as (n, l) float32."""
        return paddle.ones(self.vectors.shape[:2]) if self.mask is None else self.mask.astype("float32")

    def _cut(self, index) -> Fragments:
        return Fragments(self.vectors[index], None if self.mask is None else self.mask[index])


def normalize(vectors: paddle.Tensor) -> paddle.Tensor:
    """L2-normalise the last axis, in float32 at any precision: the sum of 768 squares is too large for float16.

    Written out: Paddle's own is ten times slower on the CPU.

    >>> [round(value, 3) for value in normalize(paddle.to_tensor([[3.0, 4.0]]))[0].tolist()]
    [0.6, 0.8]
    """
    if vectors.dtype != paddle.float32:
        vectors = vectors.astype("float32")
    return vectors * paddle.rsqrt((vectors * vectors).sum(-1, keepdim=True) + 1e-12)


def in_blocks(score: Callable, text: Fragments, image: Fragments, block_elements: int) -> paddle.Tensor:
    """Return the scores (I, T) of all pairs, made of ``score(texts, images) -> (i, t)``.

    Args:
        block_elements: bound on the fragment pairs of one call, whatever T and I are.

    >>> def score(texts, images):
    ...     print(len(images.vectors), "x", len(texts.vectors))
    ...     return paddle.matmul(images.vectors[:, 0], texts.vectors[:, 0], transpose_y=True)
    >>> text = Fragments(paddle.to_tensor([[[1.0]], [[2.0]]]))
    >>> in_blocks(score, text, Fragments(paddle.to_tensor([[[3.0]], [[4.0]], [[5.0]]])), block_elements=4).tolist()
    3 x 1
    3 x 1
    [[3.0, 6.0], [4.0, 8.0], [5.0, 10.0]]
    """
    (n_text, l), (n_image, m) = text.vectors.shape[:2], image.vectors.shape[:2]
    images = max(1, min(n_image, block_elements // (l * m)))
    texts = max(1, min(n_text, block_elements // (l * m * images)))
    if images == n_image and texts == n_text:
        return score(text, image)
    rows = []
    for i in range(0, n_image, images):
        some = image.rows(slice(i, i + images))
        row = [score(text.rows(slice(t, t + texts)), some) for t in range(0, n_text, texts)]
        rows.append(paddle.concat(row, axis=1))
    return paddle.concat(rows, axis=0)


def as_rows(vectors: paddle.Tensor) -> paddle.Tensor:
    """Flatten (n, l, d) to (n * l, d).

    >>> as_rows(paddle.to_tensor([[[1.0], [2.0]], [[3.0], [4.0]]])).tolist()
    [[1.0], [2.0], [3.0], [4.0]]
    """
    return vectors.reshape([-1, vectors.shape[-1]])
