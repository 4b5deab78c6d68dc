"""The dual encoder: texts and images to fragments (Eq. 1, Eq. 2, Sec. 4.1).

F, B, I and everything between are one class: they differ in how many codes are
appended to the input and how many output fragments are kept, and in nothing else. The
cross-BERT C runs the same Transformer over words and regions at once (:mod:`.cross`).
"""

from __future__ import annotations

import paddle
from paddle import nn

from ..config import ModelConfig
from ..scoring import Fragments, normalize, scoring_function
from .cross import MatchHead
from .inputs import Embedded, InflatingCodes, RegionEmbedding, TextEmbedding
from .pooling import Pooling
from .transformer import Transformer


class DualEncoder(nn.Layer):
    """Text and image encoder with one shared Transformer.

    Args:
        config: sizes, codes k and fragments l, scoring.
        vocab_size: WordPiece vocabulary entries.
        region_dim: dimensions of a region feature.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, region_dim: int):
        super().__init__()
        self.config, self.vocab_size, self.region_dim = config, vocab_size, region_dim
        self.text_embedding = TextEmbedding(vocab_size, config.hidden, config.dropout)
        self.region_embedding = RegionEmbedding(region_dim, config.hidden)
        self.codes = InflatingCodes(config) if config.codes else None
        self.transformer = Transformer(config.layers, config.hidden, config.heads, config.ffn, config.dropout)
        self.pooling = Pooling(config.vector, config.hidden) if config.vector != "slot" else None
        self.is_cross = config.scoring == "cross"
        self.match_head = MatchHead(config.hidden) if self.is_cross or config.joint else None
        self.score = None if self.is_cross else scoring_function(config)  # (text, image) -> (images, texts)
        self._initialize()

    def encode_text(self, ids: paddle.Tensor) -> Fragments:
        """Return the l kept fragments of texts, (B, l, D). ids: (B, n) int, 0 is padding."""
        if self.config.scoring == "visual_sparta":
            return self.text_embedding.without_context(ids)
        inputs, lengths = self.text_embedding(ids), self.text_embedding.lengths(ids)
        encode = self._pool if self.pooling else self._encode
        fragments = encode(inputs, lengths, "text")
        return self._weigh(fragments, lengths * inputs.mask) if self.config.weighs_words else fragments

    def encode_image(self, regions: paddle.Tensor, counts: paddle.Tensor) -> Fragments:
        """Return the l kept fragments of images, (B, l, D).

        regions: (B, m, region_dim) float32; counts: (B,) int, valid regions.
        """
        inputs = self.region_embedding(regions, counts)
        encode = self._pool if self.pooling else self._encode
        return encode(inputs, paddle.ones_like(inputs.mask), "image")

    def word_vectors(self) -> paddle.Tensor:
        """Return the rows (V, D) that VisualSparta's queries are made of."""
        return self.text_embedding.word.weight

    def forward(self, ids: paddle.Tensor, regions: paddle.Tensor, counts: paddle.Tensor) -> paddle.Tensor:
        """Return the scores (images, texts) float32 of all images with all texts."""
        return self.score(self.encode_text(ids), self.encode_image(regions, counts))

    def match(self, text: Embedded, image: Embedded) -> paddle.Tensor:
        """Return the cross-BERT's scores (P,) float32 of P pairs of embedded texts and images, row by row."""
        return self.match_head(self.transformer, text, image, self.text_embedding.token_type.weight[1])

    def _encode(self, inputs: Embedded, weights, side: str) -> Fragments:
        if self.codes:
            # released: the codes pass through the regions' LayerNorm, on both sides
            inputs = self.codes.append(inputs, weights, side, self.region_embedding.norm)
        x, mask = inputs
        fragments = None if self.config.fragments == "all" else self.config.fragments
        counted = mask[:, :fragments] if self.config.score_padding == "masked" else None
        vectors = self.transformer(x, mask, fragments)
        return Fragments(vectors if self.config.scoring == "visual_sparta" else normalize(vectors), counted)

    def _weigh(self, text: Fragments, lengths) -> Fragments:
        """Give a text's fragments their weights as lengths: words (B, n) so scaled that their sum is of length 1,
        codes what they have learned. With one fragment an image the words' score is the cosine of that sum."""
        kept = None if self.config.fragments == "all" else self.config.fragments
        of_codes = lengths[:, :1] * 0 + self.codes.weight if self.codes else lengths[:, :0]  # (B, k)
        words = paddle.concat([lengths, paddle.zeros_like(of_codes)], axis=1)[:, :kept]
        total = paddle.matmul(words.unsqueeze(1), text.vectors)
        scale = paddle.rsqrt((total * total).sum(-1) + 1e-12)  # (B, 1)
        weights = paddle.concat([lengths * scale, of_codes], axis=1)[:, :kept]
        return Fragments(text.vectors * weights.unsqueeze(-1), text.mask)  # Paddle 2 exports no _replace()

    def _pool(self, inputs: Embedded, weights, side: str) -> Fragments:
        vectors = self.transformer(inputs.vectors, inputs.mask)
        return Fragments(normalize(self.pooling(vectors, weights * inputs.mask, side)))

    def _initialize(self):
        """Draw weights as BERT does: N(0, 0.02) for matrices, 0 for biases. Codes keep their own."""
        normal = nn.initializer.Normal(0.0, 0.02)
        for layer in self.sublayers():
            if isinstance(layer, (nn.Linear, nn.Embedding)):
                normal(layer.weight)
        if self.config.zero_residual:
            self.transformer.zero_residual()
        if self.pooling:
            self.pooling.initialize()
