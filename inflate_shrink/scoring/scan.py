"""Stacked cross attention (SCAN, Lee et al. 2018) as a score of fragments.

Each query fragment attends to the context's fragments; its similarity is the cosine with what it
attended to, and these are pooled over the query. Text-to-image attention (SCAN t-i) has the
words as query, image-to-text attention (i-t) the regions.

The attended vectors are never made: with s the cosines and G the products of the context's
fragments with each other, cos(q, sum a_c c) = (a . s) / sqrt(a' G a).
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F

from .fragments import BLOCK_ELEMENTS, Fragments, as_rows, in_blocks

SOFTMAX_SCALE = {"text": 9.0, "image": 4.0}  # lambda_1 of t-i and i-t, as published
POOLING_SCALE = {"text": 6.0, "image": 5.0}  # lambda_2 of the LogSumExp
_MASKED = -1e4
_ARRAYS = 4  # a block makes so many of the size of the similarities


def scan(
    text: Fragments, image: Fragments, query: str, pooling: str, block_elements: int = BLOCK_ELEMENTS
) -> paddle.Tensor:
    """Return the scores (I, T) float32 of every image with every text; vectors are L2-normalised.

    Args:
        query: "text" (t-i) or "image" (i-t): the side whose fragments attend to the other's.
        pooling: "sum" of the query's similarities, or their "logsumexp".

    >>> text = Fragments(paddle.to_tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    >>> same, opposite = text, Fragments(-text.vectors)
    >>> [round(scan(text, image, "text", "sum").item(), 2) for image in (same, opposite)]
    [2.0, -1.41]
    """

    def score(some_texts: Fragments, some_images: Fragments) -> paddle.Tensor:
        if query == "text":
            return _attend_and_pool(some_texts, some_images, query, pooling)
        return _attend_and_pool(some_images, some_texts, query, pooling).t()

    with paddle.amp.auto_cast(enable=False):
        return in_blocks(score, text, image, block_elements // _ARRAYS)


def _attend_and_pool(query: Fragments, context: Fragments, side: str, pooling: str) -> paddle.Tensor:
    """Score queries (Q, l, d) against contexts (C, m, d); returns (contexts, queries)."""
    vectors, others = query.vectors.astype("float32"), context.vectors.astype("float32")
    (q, l), (c, m) = vectors.shape[:2], others.shape[:2]
    cosines = paddle.matmul(as_rows(vectors), others, transpose_y=True).reshape([c, q, l, m])
    mask = query.float_mask()
    positive = F.relu(cosines) * mask.unsqueeze(-1)
    # each context fragment's similarities, over the query's fragments, have norm 1
    relative = positive * paddle.rsqrt((positive * positive).sum(2, keepdim=True) + 1e-12)
    bias = ((1 - context.float_mask()) * _MASKED).reshape([c, 1, 1, m])
    attention = F.softmax(SOFTMAX_SCALE[side] * relative + bias, axis=-1)
    products = paddle.matmul(others, others, transpose_y=True)  # (c, m, m)
    squares = (paddle.matmul(attention.reshape([c, q * l, m]), products).reshape([c, q, l, m]) * attention).sum(-1)
    similarity = (attention * cosines).sum(-1) * paddle.rsqrt(squares + 1e-12)  # (c, q, l)
    if pooling == "sum":
        return (similarity * mask).sum(-1)
    scale = POOLING_SCALE[side]
    return paddle.log((paddle.exp(scale * similarity) * mask).sum(-1) + 1e-12) / scale
