"""The same models in plain PyTorch, with our names of the weights: what one would write there, on its fast functions."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from inflate_shrink.config import ModelConfig

from .case import DIMENSION


class Layer(nn.Module):
    """A layer of BERT."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        hidden, ffn = config.hidden, config.ffn
        self.heads, self.dropout = config.heads, config.dropout
        self.query, self.key, self.value = (
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, hidden),
            nn.Linear(hidden, hidden),
        )
        self.attention_output = nn.Linear(hidden, hidden)
        self.attention_norm, self.output_norm = nn.LayerNorm(hidden, eps=1e-12), nn.LayerNorm(hidden, eps=1e-12)
        self.intermediate, self.output = nn.Linear(hidden, ffn), nn.Linear(ffn, hidden)

    def forward(self, x, mask, first):
        """Return the ``first`` outputs of x (B, L, D), or all; mask: (B, 1, 1, L) bool or None, who is attended to."""
        query, key, value = self._heads(self.query(x[:, :first])), self._heads(self.key(x)), self._heads(self.value(x))
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        attended = self.attention_output(attended.transpose(1, 2).flatten(2))
        x = self.attention_norm(x[:, :first] + F.dropout(attended, self.dropout, self.training))
        fed = self.output(F.gelu(self.intermediate(x)))
        return self.output_norm(x + F.dropout(fed, self.dropout, self.training))

    def _heads(self, x):
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Model(nn.Module):
    """F, B or I; weights: ours by name, and which of them are frozen."""

    def __init__(self, config: ModelConfig, vocabulary: int, weights: dict[str, np.ndarray]):
        super().__init__()
        self.config, hidden = config, config.hidden
        self.text_embedding = nn.ModuleDict(
            {
                "word": nn.Embedding(vocabulary, hidden, padding_idx=0),
                "position": nn.Embedding(512, hidden),
                "token_type": nn.Embedding(2, hidden),
                "norm": nn.LayerNorm(hidden, eps=1e-12),
            }
        )
        region = {"projection": nn.Linear(DIMENSION, hidden), "norm": nn.LayerNorm(hidden, eps=1e-5)}
        self.region_embedding = nn.ModuleDict(region)
        if config.codes:
            codes = {side: nn.Parameter(torch.empty(config.codes, hidden)) for side in ("text", "image")}
            self.codes = nn.ParameterDict(codes)
        self.transformer = nn.ModuleDict({"layers": nn.ModuleList(Layer(config) for _ in range(config.layers))})
        linear = {f"{name}.weight" for name, each in self.named_modules() if isinstance(each, nn.Linear)}
        own = {name: torch.from_numpy(array.T if name in linear else array) for name, array in weights.items()
               if not name.startswith("frozen ")}  # fmt: skip
        self.load_state_dict(own)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(f"frozen {name}" not in weights)

    def encode_text(self, ids):
        """Return fragments (B, l, D) of ids (B, n), and which count, or None."""
        if self.config.score_padding == "masked":
            ids = ids[:, : int((ids != 0).sum(1).max())]
        parts = self.text_embedding
        positions = torch.arange(ids.shape[1])
        vectors = parts["word"](ids) + parts["position"](positions) + parts["token_type"].weight[0]
        vectors = F.dropout(parts["norm"](vectors), self.config.dropout, self.training)
        return self._encode(vectors, ids != 0, "text")

    def encode_image(self, regions):
        """Return fragments (B, l, D) of regions (B, m, d), all of them valid, and None."""
        parts = self.region_embedding
        return self._encode(parts["norm"](parts["projection"](regions)), None, "image")

    def _encode(self, x, mask, side):
        if self.config.codes:
            codes = self.region_embedding["norm"](self.codes[side])
            x = torch.cat([x, codes.expand(len(x), -1, -1)], 1)
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(len(x), len(codes))], 1)
        fragments = None if self.config.fragments == "all" else self.config.fragments
        *layers, last = self.transformer["layers"]
        attended = None if mask is None else mask[:, None, None]
        for layer in layers:
            x = layer(x, attended, None)
        counted = mask[:, :fragments] if mask is not None and self.config.score_padding == "masked" else None
        return F.normalize(last(x, attended, fragments), dim=-1), counted


def late_interaction(text, image, counted=None):
    """Return scores (images, texts) of fragments (T, l, D) and (I, m, D); counted: (T, l) or None."""
    products = text.flatten(0, 1) @ image.flatten(0, 1).T
    best = products.view(*text.shape[:2], *image.shape[:2]).max(-1).values
    if counted is not None:
        best = best * counted.unsqueeze(-1)
    return best.sum(1).T


def smooth_maximum(scores, margin, power):
    """Return the released triplet loss, with its diagonal."""
    positive = scores.diagonal()
    by_image = F.relu(margin + scores - positive[:, None]) ** power
    by_text = F.relu(margin + scores - positive[None]) ** power
    return ((by_image.sum(1) + 1e-5) ** (1 / power)).sum() + ((by_text.sum(0) + 1e-5) ** (1 / power)).sum()


def cross_entropy(teacher, student, teacher_scale, student_scale):
    """Return the released distillation loss: both directions, half weight each."""
    found = 0.0
    for axis in (0, 1):
        target = F.softmax(teacher_scale * teacher, dim=axis)
        found = found - 0.5 * (target * F.log_softmax(student_scale * student, dim=axis)).sum()
    return found
