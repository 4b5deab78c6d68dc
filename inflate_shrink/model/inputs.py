"""What goes into the Transformer: words, regions (Sec. 3.1) and inflating codes (Sec. 4.1)."""

from __future__ import annotations

import paddle
from paddle import nn

from .transformer import LAYER_NORM_EPSILON, Linear

PAD_ID = 0
MAX_POSITIONS = 512  # BERT's table; only the first text_length rows are used


class TextEmbedding(nn.Layer):
    """BERT's embedding of W: word + position + token type (always 0), LayerNorm, dropout."""

    def __init__(self, vocab_size: int, hidden: int, dropout: float):
        super().__init__()
        self.word = nn.Embedding(vocab_size, hidden)
        self.position = nn.Embedding(MAX_POSITIONS, hidden)
        self.token_type = nn.Embedding(2, hidden)
        self.norm = nn.LayerNorm(hidden, epsilon=LAYER_NORM_EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids):
        """ids: (B, n) int. Returns (B, n, D)."""
        words = self.word(ids)
        # as in PyTorch's BERT the row of [PAD] gets no gradient; Paddle's padding_idx would read zeros there
        words = paddle.where((ids == PAD_ID).unsqueeze(-1), words.detach(), words)
        positions, token_type = paddle.arange(ids.shape[1]), paddle.zeros([1], "int64")
        return self.dropout(self.norm(words + self.position(positions) + self.token_type(token_type)))


class RegionEmbedding(nn.Layer):
    """Projection of R to the hidden size and LayerNorm; no position, box or type (as released)."""

    def __init__(self, region_dim: int, hidden: int):
        super().__init__()
        self.projection = Linear(region_dim, hidden)
        self.norm = nn.LayerNorm(hidden, epsilon=1e-5)

    def forward(self, regions):
        """regions: (B, m, region_dim). Returns (B, m, D)."""
        return self.norm(self.projection(regions))


class InflatingCodes(nn.Layer):
    """k learned vectors for each side, C_T and C_I. They are drawn from N(0, 1), as released."""

    def __init__(self, codes: int, hidden: int):
        super().__init__()
        normal = nn.initializer.Normal(0.0, 1.0)
        self.text = self.create_parameter([codes, hidden], default_initializer=normal)
        self.image = self.create_parameter([codes, hidden], default_initializer=normal)


def append_codes(x, codes):
    """[x; codes]: the codes (k, D) after each of the inputs (B, L, D), so that slot 0 stays slot 0."""
    return paddle.concat([x, codes.unsqueeze(0).expand([x.shape[0], -1, -1])], axis=1)
