"""The cross-BERT C of Table 8: words and regions of a pair in one Transformer.

It has no Transformer of its own. The layers, the word embeddings and the region projection are
those of :class:`.encoder.DualEncoder`, so that one set of weights can be bi-encoder and
cross-BERT at once (Geigle et al. 2022, "joint").
"""

from __future__ import annotations

import paddle
from paddle import nn

from .inputs import Embedded
from .transformer import Linear, Transformer


class MatchHead(nn.Layer):
    """The score of a pair, from the output at [CLS]."""

    def __init__(self, hidden: int):
        super().__init__()
        self.score = Linear(hidden, 1)

    def forward(
        self, transformer: Transformer, text: Embedded, image: Embedded, region_type: paddle.Tensor
    ) -> paddle.Tensor:
        """Return logits (P,) float32 that text and image of a row belong together.

        Args:
            text: (P, n, D) with its mask; image: (P, m, D) with its mask.
            region_type: (D,) added to the regions, BERT's second token type.
        """
        x = paddle.concat([text.vectors, image.vectors + region_type], axis=1)
        outputs = transformer(x, paddle.concat([text.mask, image.mask], axis=1), 1)
        return self.score(outputs).reshape([-1]).astype("float32")
