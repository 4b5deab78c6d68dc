"""One vector of all fragments of a side, for models that keep one (``model.vector``): in place of slot 0.

A word counts by the length of its row in the word table, which LayerNorm takes away: in a linear start that is its idf
and how well an image is known by it. Every kind starts as this mean, and then learns what else to weigh.
"""

from __future__ import annotations

import paddle
from paddle import nn

from .transformer import Linear

KNOTS = 32  # weights that a generalised pooling learns a side, from the greatest value to the least
_NEVER = -1e4  # below every value of a LayerNorm; fits fp16


class Pooling(nn.Layer):
    """Pool the outputs of the Transformer, then map them linearly, each side by a map of its own.

    Args:
        kind: mean; attention, each position weighted by its product with a learned query (Lin et al. 2017);
            generalised, each dimension's values weighted by their rank (Chen et al. 2021, GPO), with learned weights
            between which longer and shorter inputs share.
        hidden: dimensions D.
    """

    def __init__(self, kind: str, hidden: int):
        super().__init__()
        self.kind = kind
        self.text_map, self.image_map = Linear(hidden, hidden), Linear(hidden, hidden)
        size = {"mean": 0, "attention": hidden, "generalised": KNOTS}[kind]
        if size:
            zero = nn.initializer.Constant(0.0)
            self.text = self.create_parameter([size], default_initializer=zero)
            self.image = self.create_parameter([size], default_initializer=zero)

    def initialize(self) -> None:
        """Let the maps begin as the identity."""
        for each in (self.text_map, self.image_map):
            each.weight.set_value(paddle.eye(each.weight.shape[0]))

    def forward(self, vectors, weights, side: str):
        """Return (B, 1, D) of vectors (B, L, D) and what each counts, (B, L), 0 for padding; side: text or image."""
        shares = weights / (weights.sum(1, keepdim=True) + 1e-12)
        learned = None if self.kind == "mean" else getattr(self, side)
        if self.kind == "attention":
            never = (weights <= 0).astype("float32") * _NEVER
            logits = paddle.matmul(vectors, learned) + paddle.log(shares + 1e-12) + never
            shares = nn.functional.softmax(logits, axis=1)
        if self.kind == "generalised":
            pooled = self._by_rank(vectors, weights, shares, learned)
        else:
            pooled = paddle.matmul(shares.unsqueeze(1), vectors)
        return getattr(self, f"{side}_map")(pooled)

    @staticmethod
    def _by_rank(vectors, weights, shares, learned):
        filled = (weights > 0).astype("float32")
        count = filled.sum(1, keepdim=True)
        scaled = vectors * (shares * count).unsqueeze(2)
        ordered = paddle.sort(scaled + ((1 - filled) * _NEVER).unsqueeze(2), axis=1, descending=True)
        rank = paddle.cumsum(paddle.ones_like(filled), axis=1) - 1
        knot = paddle.floor(rank * KNOTS / paddle.maximum(count, paddle.ones_like(count)))
        kept = (rank < count).astype("float32")
        logits = paddle.gather(learned, (knot * kept).astype("int64").reshape([-1])).reshape(rank.shape)
        coefficients = nn.functional.softmax(logits + (1 - kept) * _NEVER, axis=1)
        return paddle.matmul((coefficients * kept).unsqueeze(1), ordered)
