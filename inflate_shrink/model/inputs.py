"""What goes into the Transformer: words, regions (Sec. 3.1) and inflating codes (Sec. 4.1)."""

from __future__ import annotations

from typing import NamedTuple

import paddle
import paddle.nn.functional as F
from paddle import nn

from ..config import ModelConfig
from ..data.vocabulary import PAD_ID
from ..scoring import Fragments
from . import fused
from .transformer import LAYER_NORM_EPSILON, Dropout, Linear

WEIGHT = 2.0  # of a text's codes together, at first, where its words' fragments have a sum of length 1
MAX_POSITIONS = 512  # BERT's table; only the first text_length rows are used


class Embedded(NamedTuple):
    """The Transformer's input for some texts or images: vectors (B, L, D); mask (B, L) float32, 0 for padding."""

    vectors: paddle.Tensor
    mask: paddle.Tensor

    def rows(self, rows: paddle.Tensor) -> Embedded:
        """Take some of them by their rows (P,) int, repeats allowed.

        As an embedding, whose gradient is the same in every run on a GPU; that of paddle.gather is not.
        """
        length, dim = self.vectors.shape[1:]
        vectors = F.embedding(rows, self.vectors.reshape([-1, length * dim])).reshape([-1, length, dim])
        return Embedded(vectors, paddle.gather(self.mask, rows))


class TextEmbedding(nn.Layer):
    """BERT's embedding of W: word + position + token type (always 0), LayerNorm, dropout."""

    def __init__(self, vocab_size: int, hidden: int, dropout: float):
        super().__init__()
        self.word = nn.Embedding(vocab_size, hidden)
        self.position = nn.Embedding(MAX_POSITIONS, hidden)
        self.token_type = nn.Embedding(2, hidden)
        self.norm = nn.LayerNorm(hidden, epsilon=LAYER_NORM_EPSILON)
        self.dropout = Dropout(dropout)

    def forward(self, ids) -> Embedded:
        """Embed texts; ids: (B, n) int."""
        words, filled = self.word(ids), (ids != PAD_ID).astype("float32")
        positions, token_type = paddle.arange(ids.shape[1]), paddle.zeros([1], "int64")
        position, token_type = self.position(positions), self.token_type(token_type)
        if fused.applies(words, position):
            vectors = fused.add_rows(words, filled, position + token_type)
            return Embedded(self.dropout(fused.normalise(vectors, self.norm)), filled)
        # the row of [PAD] gets no gradient, as in PyTorch's BERT; Paddle's padding_idx would read zeros there
        words = paddle.where((ids == PAD_ID).unsqueeze(-1), words.detach(), words)
        return Embedded(self.dropout(self.norm(words + position + token_type)), filled)

    def lengths(self, ids):
        """Return the length of each word's row in the table, (B, n)."""
        words = self.word(ids)
        return paddle.sqrt((words * words).sum(-1) + 1e-12)

    def without_context(self, ids) -> Fragments:
        """Return VisualSparta's query: the rows of the word table alone, (B, n, D).

        Padding, the first and the last token do not count.
        """
        filled = (ids != PAD_ID).astype("float32")
        followed = paddle.concat([filled[:, 1:], paddle.zeros_like(filled[:, :1])], axis=1)
        mask = followed * (paddle.arange(ids.shape[1]) > 0).astype("float32")
        return Fragments(self.word(ids), mask)


class RegionEmbedding(nn.Layer):
    """Projection of R to the hidden size and LayerNorm; no position, box or type (as released)."""

    def __init__(self, region_dim: int, hidden: int):
        super().__init__()
        self.projection = Linear(region_dim, hidden)
        self.norm = nn.LayerNorm(hidden, epsilon=1e-5)

    def forward(self, regions, counts) -> Embedded:
        """Embed images; regions: (B, m, region_dim) float32; counts: (B,) int, valid regions."""
        positions = paddle.arange(regions.shape[1], dtype=counts.dtype)
        mask = (positions.unsqueeze(0) < counts.unsqueeze(1)).astype("float32")
        return Embedded(fused.normalise(self.projection(regions), self.norm), mask)


class InflatingCodes(nn.Layer):
    """k learned vectors for each side, C_T and C_I. They are drawn from N(0, 1), as released.

    With ``code_input: pooled`` a code is added to the mean of the words or regions that it stands beside, and both
    sides' codes begin equal, so that a text's code finds the image's. With ``text_weights: length`` each code of a
    text has a learned weight in the score.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.pooled, shape = config.code_input == "pooled", [config.codes, config.hidden]
        normal = nn.initializer.Normal(0.0, 1.0)
        self.text = self.create_parameter(shape, default_initializer=normal)
        self.image = self.create_parameter(shape, default_initializer=normal)
        if self.pooled:
            self.image.set_value(self.text)
        if config.weighs_words:
            equal = nn.initializer.Constant(WEIGHT / config.codes)
            self.weight = self.create_parameter([config.codes], default_initializer=equal)

    def append(self, inputs: Embedded, weights, side: str, norm) -> Embedded:
        """Return [x; codes], x: (B, L, D): the codes come last, so that slot 0 stays slot 0.

        Args:
            weights: (B, L), what each input counts in the mean.
            norm: the LayerNorm that codes pass through.
        """
        x, mask = inputs
        codes = getattr(self, side)
        if self.pooled:
            shares = weights * mask
            mean = paddle.matmul((shares / (shares.sum(1, keepdim=True) + 1e-12)).unsqueeze(1), x)  # (B, 1, D)
            codes = norm(norm(mean) + codes)
        else:
            codes = norm(codes).unsqueeze(0).expand([x.shape[0], -1, -1])
        return Embedded(
            paddle.concat([x, codes], axis=1), paddle.concat([mask, paddle.ones_like(codes[:, :, 0])], axis=1)
        )
