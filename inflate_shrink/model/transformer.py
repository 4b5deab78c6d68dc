"""The Transformer layers of Eq. 1 and Eq. 2, as in BERT (post-norm, exact GELU)."""

from __future__ import annotations

import math

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from . import fused

LAYER_NORM_EPSILON = 1e-12  # BERT's; Paddle's default is 1e-5
_MASKED = -1e4  # added to attention logits; fits fp16


class Linear(nn.Linear):
    """``nn.Linear`` whose bias has a fast gradient on the CPU: Paddle's takes longer than both products of the layer."""

    def forward(self, x):
        if fused.applies(x, self.weight):
            return fused.linear(x, self.weight, self.bias)
        if not paddle.in_dynamic_mode() or x.place.is_gpu_place():  # a graph that is exported has no gradient
            return F.linear(x, self.weight, self.bias)  # Paddle 2 exports no super()
        ones = paddle.ones([*x.shape[:-1], 1], x.dtype)
        return paddle.matmul(x, self.weight) + paddle.matmul(ones, self.bias.unsqueeze(0))


class Dropout(nn.Dropout):
    """``nn.Dropout`` whose mask NumPy draws on the CPU, from a seed that Paddle draws: Paddle's takes six times as long.

    The probability is a multiple of 2**-16.
    """

    def forward(self, x):
        if not (self.training and self.p and paddle.in_dynamic_mode()) or x.place.is_gpu_place():
            return F.dropout(x, self.p, training=self.training)  # Paddle 2 exports no super()
        drawn, least, scale = self.draw(x.size)
        kept = (drawn >= least) * np.float32(scale)
        return x * paddle.to_tensor(kept.reshape(x.shape)).astype(x.dtype)

    def draw(self, size: int) -> fused.Dropout | None:
        """Draw which of so many numbers are kept; None where all are."""
        if not (self.training and self.p):
            return None
        seed = paddle.randint(0, 2**31 - 1, [1]).item()
        drawn = np.random.SFC64(seed).random_raw((size + 3) // 4).view(np.uint16)[:size]
        return fused.Dropout(drawn, round(self.p * 2**16), 1 / (1 - self.p))


class TransformerLayer(nn.Layer):
    """One layer of BERT: self-attention, then the feed-forward part, each added to its input and normalised."""

    def __init__(self, hidden: int, heads: int, ffn: int, dropout: float):
        super().__init__()
        self.heads, self.head_size = heads, hidden // heads
        self.query = Linear(hidden, hidden)
        self.key = Linear(hidden, hidden)
        self.value = Linear(hidden, hidden)
        self.attention_output = Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, epsilon=LAYER_NORM_EPSILON)
        self.intermediate = Linear(hidden, ffn)
        self.output = Linear(ffn, hidden)
        self.output_norm = nn.LayerNorm(hidden, epsilon=LAYER_NORM_EPSILON)
        self.dropout = Dropout(dropout)

    def forward(self, x, attention_bias, first=None):
        """Return the ``first`` outputs, or all, of x: (B, L, D). attention_bias: (B, 1, 1, L), added to the logits."""
        if fused.applies(x, attention_bias, self.query.weight):
            return self._forward_fused(x, attention_bias, first)
        probabilities = self.dropout(self.attention(x, attention_bias, first))
        attended = self._merge_heads(paddle.matmul(probabilities, self._split_heads(self.value(x))))
        x = self.attention_norm(x[:, :first] + self.dropout(self.attention_output(attended)))
        return self.output_norm(x + self.dropout(self.output(F.gelu(self.intermediate(x)))))

    def _forward_fused(self, x, attention_bias, first):
        query = self._split_heads(self.query(x[:, :first]))
        key, value = self._split_heads(self.key(x)), self._split_heads(self.value(x))
        drawn = self.dropout.draw(query.size // self.head_size * x.shape[1])
        attended = self._merge_heads(fused.attend(query, key, value, attention_bias.squeeze([1, 2]), drawn))
        branch = self.attention_output(attended)
        x = fused.add_and_normalise(x[:, :first], branch, self.dropout.draw(branch.size), self.attention_norm)
        branch = self.output(fused.linear_gelu(x, self.intermediate.weight, self.intermediate.bias))
        return fused.add_and_normalise(x, branch, self.dropout.draw(branch.size), self.output_norm)

    def attention(self, x, attention_bias, first=None):
        """Return attention probabilities (B, heads, L, L) of x: (B, L, D), or those of its ``first`` positions."""
        query, key = self._split_heads(self.query(x[:, :first])), self._split_heads(self.key(x))
        logits = paddle.matmul(query, key, transpose_y=True) / math.sqrt(query.shape[-1])
        return F.softmax(logits + attention_bias, axis=-1)

    def _split_heads(self, x):  # (B, L, D) -> (B, heads, L, D / heads)
        return x.reshape([0, 0, self.heads, self.head_size]).transpose([0, 2, 1, 3])  # 0: as it is, known or not

    def _merge_heads(self, x):  # (B, heads, L, D / heads) -> (B, L, D)
        return x.transpose([0, 2, 1, 3]).reshape([x.shape[0], x.shape[2], -1])


class Transformer(nn.Layer):
    """The stack shared by text and image (Sec. 3.1, 5)."""

    def __init__(self, layers: int, hidden: int, heads: int, ffn: int, dropout: float):
        super().__init__()
        self.layers = nn.LayerList([TransformerLayer(hidden, heads, ffn, dropout) for _ in range(layers)])

    def forward(self, x, mask, first=None):
        """Run all layers over x: (B, L, D). mask: (B, L), 1 where a position may be attended to.

        Returns the ``first`` outputs, (B, first, D), or all. The last layer computes no others.
        """
        attention_bias = ((1 - mask) * _MASKED).unsqueeze([1, 2])
        *layers, last = self.layers
        for layer in layers:
            x = layer(x, attention_bias)
        return last(x, attention_bias, first)

    def zero_residual(self) -> None:
        """Let no layer add anything to its input: LayerNorm of what is normalised gives it back."""
        for layer in self.layers:
            for branch in (layer.attention_output, layer.output):
                branch.weight.set_value(paddle.zeros_like(branch.weight))
