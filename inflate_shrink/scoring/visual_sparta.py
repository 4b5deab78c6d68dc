"""VisualSparta's score (Lu et al. 2021), the late-interaction baseline of Tables 4 and 5.

    s(text, image) = sum over words of log(1 + ReLU(max over regions of w . r))

The words are embeddings without context, so that the score of each vocabulary entry with each
image can be computed before any query comes (:mod:`inflate_shrink.search.inverted.index`).
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F

from .fragments import BLOCK_ELEMENTS, Fragments, in_blocks
from .late_interaction import best_match

_MASKED = -1e4  # added to a masked region's products: the ReLU makes them 0


def visual_sparta(text: Fragments, image: Fragments, block_elements: int = BLOCK_ELEMENTS) -> paddle.Tensor:
    """Return the scores (I, T) float32 of every image (I, m, d) with every text (T, l, d), neither normalised.

    >>> text = Fragments(paddle.to_tensor([[[1.0]]]))
    >>> image = Fragments(paddle.to_tensor([[[2.0], [3.0]], [[-1.0], [-2.0]]]))
    >>> [round(score, 4) for score in visual_sparta(text, image)[:, 0].tolist()]  # log(1 + 3), log(1 + 0)
    [1.3863, 0.0]
    """
    with paddle.amp.auto_cast(enable=False):
        return in_blocks(_sum_of_logarithms, text, image, block_elements)


def _sum_of_logarithms(text: Fragments, image: Fragments) -> paddle.Tensor:
    best = best_match(text, image, _MASKED).astype("float32")
    return (paddle.log1p(F.relu(best)) * text.float_mask().unsqueeze(-1)).sum(1).t()
