"""Late interaction (Eq. 3 and Eq. 5): one function for training, evaluation and search.

    s(text, image) = sum over text fragments of the best cosine among the image's fragments

With one fragment a side this is Eq. 3, with all of them Eq. 5, and with the first l
everything between (Table 6). The similarity matrix is made block by block and never
kept: not for the backward pass either, which needs only who was best.
"""

from __future__ import annotations

from typing import NamedTuple

import paddle
from paddle.autograd import PyLayer

BLOCK_ELEMENTS = 1 << 25  # of the similarity matrix at a time: 128 MiB in fp32
_NEVER_BEST = -2.0  # added to a masked fragment's cosines; below -1, and fine in fp16


class Fragments(NamedTuple):
    """The encoded side of texts or images.

    vectors: (n, l, d), L2-normalised. mask: (n, l) in the vectors' dtype, 1 for
    fragments that count and 0 for padding; None counts all.
    """

    vectors: paddle.Tensor
    mask: paddle.Tensor | None = None

    def first(self, fragments: int | str) -> "Fragments":
        """The first ``fragments`` of each text or image (Table 6); "all" keeps them as they are."""
        if fragments == "all":
            return self
        return Fragments(self.vectors[:, :fragments], None if self.mask is None else self.mask[:, :fragments])


def normalize(vectors: paddle.Tensor) -> paddle.Tensor:
    """L2-normalise the last axis. Written out: Paddle's own is ten times slower on the CPU."""
    return vectors * paddle.rsqrt((vectors * vectors).sum(-1, keepdim=True) + 1e-12)


def late_interaction(text: Fragments, image: Fragments, block_elements: int = BLOCK_ELEMENTS) -> paddle.Tensor:
    """Scores of every image with every text (Eq. 5).

    Args:
        text: vectors (T, l, d). A masked text fragment adds nothing to the sum.
        image: vectors (I, m, d), of the same dtype. A masked one is never the best.
        block_elements: bound on the similarities held at once, whatever T and I are.

    Returns:
        (I, T) float32: rows images, columns texts. Cosines are computed in the
        vectors' dtype and summed in float32. Differentiable by both vectors; where
        several image fragments are equally good, the first gets the gradient.
    """
    with paddle.amp.auto_cast(enable=False):
        text_mask = paddle.ones(text.vectors.shape[:2]) if text.mask is None else text.mask.astype("float32")
        bias = None if image.mask is None else (1 - image.mask) * _NEVER_BEST
        inputs = (text.vectors, image.vectors, text_mask, bias, list(_blocks(text.vectors.shape, image.vectors.shape, block_elements)))
        if paddle.is_grad_enabled() and not (text.vectors.stop_gradient and image.vectors.stop_gradient):
            return _LateInteraction.apply(*inputs)
        return _scores(*inputs, choices=None)


def _scores(text, image, text_mask, bias, blocks, choices: list | None):
    """(I, T) float32, block by block; which image fragment was best goes to ``choices`` if it is a list."""
    rows = []
    for texts, columns in blocks:
        cosines = _cosines(text[texts], image[columns], None if bias is None else bias[columns])  # (t, l, i, m)
        if choices is None:
            best = cosines.max(-1)
        else:
            choices.append(cosines.argmax(-1))
            best = paddle.take_along_axis(cosines, choices[-1].unsqueeze(-1), -1).squeeze(-1)
        if columns.start == 0:
            rows.append([])
        rows[-1].append((best.astype("float32") * text_mask[texts].unsqueeze(-1)).sum(1))  # (t, i)
    return paddle.concat([paddle.concat(row, axis=1) for row in rows], axis=0).t()


def _cosines(text, image, bias):
    """(t, l, d) and (i, m, d) to (t, l, i, m); ``bias`` (i, m) keeps masked image fragments from being the best."""
    cosines = paddle.matmul(_rows(text), _rows(image), transpose_y=True).reshape([*text.shape[:2], *image.shape[:2]])
    return cosines if bias is None else cosines + bias


class _LateInteraction(PyLayer):
    """Scores with a gradient of their own: Paddle's max would keep all similarities, and its gradient is slow."""

    @staticmethod
    def forward(ctx, text, image, text_mask, bias, blocks):
        choices: list = []
        scores = _scores(text, image, text_mask, bias, blocks, choices)
        ctx.blocks, ctx.wanted = blocks, [not side.stop_gradient for side in (text, image)]
        ctx.no_gradients = (None,) if bias is None else (None, None)  # one for each tensor that is a mask
        ctx.save_for_backward(text, image, text_mask, *choices)
        return scores

    @staticmethod
    def backward(ctx, gradient):
        text, image, text_mask, *choices = ctx.saved_tensor()
        text_gradient, image_gradient = (paddle.zeros_like(side) if wanted else None for side, wanted in zip((text, image), ctx.wanted))
        for (texts, columns), choice in zip(ctx.blocks, choices):
            t, i = text[texts], image[columns]
            # d s / d cosine is the text mask at the chosen image fragment, 0 elsewhere
            at_choice = gradient[columns, texts].t().unsqueeze(1) * text_mask[texts].unsqueeze(-1)  # (t, l, i)
            weights = paddle.put_along_axis(
                paddle.zeros([*choice.shape, i.shape[1]], i.dtype),
                choice.unsqueeze(-1), at_choice.astype(i.dtype).unsqueeze(-1), axis=-1,
            ).reshape([t.shape[0] * t.shape[1], -1])  # (t * l, i * m)
            if text_gradient is not None:
                text_gradient[texts] = text_gradient[texts] + paddle.matmul(weights, _rows(i)).reshape(t.shape)
            if image_gradient is not None:
                image_gradient[columns] = image_gradient[columns] + paddle.matmul(weights, _rows(t), transpose_x=True).reshape(i.shape)
        return (text_gradient, image_gradient) + ctx.no_gradients


def _rows(vectors: paddle.Tensor) -> paddle.Tensor:
    return vectors.reshape([-1, vectors.shape[-1]])


def _blocks(text_shape, image_shape, block_elements: int):
    """Pairs of slices (texts, images) that cover all pairs, each within ``block_elements`` similarities."""
    n_text, l = text_shape[:2]
    n_image, m = image_shape[:2]
    images = max(1, min(n_image, block_elements // (l * m)))
    texts = max(1, min(n_text, block_elements // (l * m * images)))
    for first_text in range(0, n_text, texts):
        for first_image in range(0, n_image, images):
            yield slice(first_text, min(first_text + texts, n_text)), slice(first_image, min(first_image + images, n_image))
