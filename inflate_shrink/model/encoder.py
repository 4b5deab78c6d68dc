"""The dual encoder: texts and images to fragments (Eq. 1, Eq. 2, Sec. 4.1).

F, B, I and everything between are one class: they differ in how many codes are
appended to the input and how many output fragments are kept, and in nothing else.
"""

from __future__ import annotations

import paddle
from paddle import nn

from ..config import ModelConfig
from ..scoring import Fragments, late_interaction, normalize
from .inputs import PAD_ID, InflatingCodes, RegionEmbedding, TextEmbedding, append_codes
from .transformer import Transformer


class DualEncoder(nn.Layer):
    """Text and image encoder with one shared Transformer.

    Args:
        config: sizes, codes k and fragments l.
        vocab_size: WordPiece vocabulary entries.
        region_dim: dimensions of a region feature.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, region_dim: int):
        super().__init__()
        self.config, self.vocab_size, self.region_dim = config, vocab_size, region_dim
        self.text_embedding = TextEmbedding(vocab_size, config.hidden, config.dropout)
        self.region_embedding = RegionEmbedding(region_dim, config.hidden)
        self.codes = InflatingCodes(config.codes, config.hidden) if config.codes else None
        self.transformer = Transformer(config.layers, config.hidden, config.heads, config.ffn, config.dropout)
        self._initialize()

    def encode_text(self, ids: paddle.Tensor) -> Fragments:
        """ids: (B, n) int, 0 is padding. Returns the l kept fragments, (B, l, D)."""
        mask = (ids != PAD_ID).astype("float32")
        return self._encode(self.text_embedding(ids), mask, self.codes and self.codes.text)

    def encode_image(self, regions: paddle.Tensor, counts: paddle.Tensor) -> Fragments:
        """regions: (B, m, region_dim) float32; counts: (B,) int, valid regions. Returns (B, l, D)."""
        mask = (paddle.arange(regions.shape[1], dtype=counts.dtype).unsqueeze(0) < counts.unsqueeze(1)).astype("float32")
        return self._encode(self.region_embedding(regions), mask, self.codes and self.codes.image)

    def forward(self, ids: paddle.Tensor, regions: paddle.Tensor, counts: paddle.Tensor) -> paddle.Tensor:
        """Scores (images, texts) float32 of all images with all texts."""
        return late_interaction(self.encode_text(ids), self.encode_image(regions, counts))

    def _encode(self, x, mask, codes) -> Fragments:
        if codes is not None:
            # released: the codes pass through the regions' LayerNorm, on both sides
            x = append_codes(x, self.region_embedding.norm(codes))
            mask = paddle.concat([mask, paddle.ones([mask.shape[0], codes.shape[0]])], axis=1)
        fragments = None if self.config.fragments == "all" else self.config.fragments
        counted = mask[:, :fragments] if self.config.score_padding == "masked" else None
        return Fragments(normalize(self.transformer(x, mask, fragments)), counted)

    def _initialize(self):
        """BERT's initialisation: N(0, 0.02) for matrices, 0 for biases. Codes keep their own."""
        normal = nn.initializer.Normal(0.0, 0.02)
        for layer in self.sublayers():
            if isinstance(layer, (nn.Linear, nn.Embedding)):
                normal(layer.weight)
