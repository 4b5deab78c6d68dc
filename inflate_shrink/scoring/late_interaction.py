"""Late interaction (Eq. 3 and Eq. 5): one function for training, evaluation and search.

    s(text, image) = sum over text fragments of the best cosine among the image's fragments

With one fragment a side this is Eq. 3, with all of them Eq. 5, and with the first l
everything between (Table 6). The similarity matrix is made block by block and never
kept: not for the backward pass either, which needs only who was best.
"""

from __future__ import annotations

import paddle
from paddle.autograd import PyLayer

from ..kernel import training as kernel
from .by_kernel import by_kernel
from .fragments import BLOCK_ELEMENTS, Fragments, as_rows, in_blocks

_NEVER_BEST = -2.0  # added to a masked fragment's cosines; below -1, and fine in fp16


def late_interaction(text: Fragments, image: Fragments, block_elements: int = BLOCK_ELEMENTS) -> paddle.Tensor:
    """Return the scores of every image with every text (Eq. 5).

    Args:
        text: vectors (T, l, d). A masked text fragment adds nothing to the sum.
        image: vectors (I, m, d), of the same dtype. A masked one is never the best.
        block_elements: bound on the similarities held at once, whatever T and I are.

    Returns:
        (I, T) float32: rows images, columns texts. Cosines are computed in the
        vectors' dtype and summed in float32. Differentiable by both vectors; where
        several image fragments are equally good, the first gets the gradient.

    >>> text = Fragments(paddle.to_tensor([[[1.0, 0.0], [0.0, 1.0]]]))  # one text of two fragments
    >>> image = Fragments(paddle.to_tensor([[[1.0, 0.0], [0.0, -1.0]], [[-1.0, 0.0], [0.0, 1.0]]]))  # two images
    >>> late_interaction(text, image).tolist()
    [[1.0], [1.0]]
    >>> late_interaction(text.first(1), image).tolist()  # the first fragment alone
    [[1.0], [0.0]]
    """
    with paddle.amp.auto_cast(enable=False):
        return in_blocks(_sum_of_best, text, image, block_elements)


def best_match(text: Fragments, image: Fragments, never_best: float = _NEVER_BEST) -> paddle.Tensor:
    """Return each text fragment's product with its best image fragment, (T, l, I), in the vectors' dtype.

    Args:
        never_best: added to the products of masked image fragments.

    >>> text = Fragments(paddle.to_tensor([[[1.0, 0.0], [0.0, 1.0]]]))  # one text of two fragments
    >>> image = paddle.to_tensor([[[1.0, 0.0], [0.0, 0.5]]])
    >>> best_match(text, Fragments(image)).tolist()
    [[[1.0], [0.5]]]
    >>> best_match(text, Fragments(image, mask=paddle.to_tensor([[0.0, 1.0]]))).tolist()  # the second alone counts
    [[[0.0], [0.5]]]
    """
    bias = None if image.mask is None else (1 - image.mask) * never_best
    if paddle.is_grad_enabled() and not (text.vectors.stop_gradient and image.vectors.stop_gradient):
        return _BestMatch.apply(text.vectors, image.vectors, bias)
    if by_kernel(text.vectors, image.vectors):
        return _best(text.vectors, image.vectors, bias)[0]
    return _products(text.vectors, image.vectors, bias).max(-1)


def _sum_of_best(text: Fragments, image: Fragments) -> paddle.Tensor:
    best = best_match(text, image).astype("float32")
    return (best * text.float_mask().unsqueeze(-1)).sum(1).t()


def _products(text, image, bias):
    """Multiply (t, l, d) with (i, m, d) to (t, l, i, m); ``bias`` (i, m) keeps masked fragments from being the best."""
    products = paddle.matmul(as_rows(text), as_rows(image), transpose_y=True)
    products = products.reshape([*text.shape[:2], *image.shape[:2]])
    return products if bias is None else products + bias


def _best(text, image, bias):
    """Return the greatest products (t, l, i), and which of the image's fragments have them, int32."""
    products = _products(text, image, None)
    best, choice = paddle.empty(products.shape[:3]), paddle.empty(products.shape[:3], "int32")
    kernel.best(products, bias, best, choice)
    return best, choice


class _BestMatch(PyLayer):
    """The maximum with a gradient of its own: Paddle's would keep all products, and is slow.

    On the CPU the kernel finds the maxima, and its gradient reads the chosen fragments alone.
    """

    @staticmethod
    def forward(ctx, text, image, bias):
        ctx.by_kernel = by_kernel(text, image)
        if ctx.by_kernel:
            best, choice = _best(text, image, bias)
        else:
            products = _products(text, image, bias)
            choice = products.argmax(-1)
            best = paddle.take_along_axis(products, choice.unsqueeze(-1), -1).squeeze(-1)
        ctx.wanted = [not side.stop_gradient for side in (text, image)]
        ctx.no_gradient = () if bias is None else (None,)  # one for each tensor that needs none
        ctx.save_for_backward(text, image, choice)
        return best

    @staticmethod
    def backward(ctx, gradient):
        text, image, choice = ctx.saved_tensor()
        if ctx.by_kernel:
            found = [paddle.empty_like(side) if wanted else None for side, wanted in zip((text, image), ctx.wanted)]
            kernel.best_gradient(gradient, choice, text, image, *found)
            return (*found, *ctx.no_gradient)
        zeros = paddle.zeros([*choice.shape, image.shape[1]], image.dtype)
        # d best / d product is 1 at the chosen image fragment, 0 elsewhere
        weights = paddle.put_along_axis(zeros, choice.unsqueeze(-1), gradient.unsqueeze(-1), axis=-1)
        weights = weights.reshape([text.shape[0] * text.shape[1], -1])  # (t * l, i * m)
        of_text = of_image = None
        if ctx.wanted[0]:
            of_text = paddle.matmul(weights, as_rows(image)).reshape(text.shape)
        if ctx.wanted[1]:
            of_image = paddle.matmul(weights, as_rows(text), transpose_x=True).reshape(image.shape)
        return (of_text, of_image) + ctx.no_gradient
