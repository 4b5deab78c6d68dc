"""The released models in NumPy, in float64 and in the words of their state_dict: for comparison, independent of ours."""

import math

import numpy as np

_ERF = np.array([math.erf(i / 1000) for i in range(-6000, 6001)])


def text_fragments(weights, stack, ids, codes):
    """ids (N, n), 0 is padding. Returns the normalised outputs of all n positions, and of the codes if any: (N, n or n + k, D)."""
    word, position, token_type = (
        weights[f"encoder.embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
    )
    x = layer_norm(word[ids] + position[: ids.shape[1]] + token_type[0], weights, "encoder.embeddings.LayerNorm", 1e-12)
    return encode(weights, stack, x, ids > 0, "poly_code_embeddings_t.weight" if codes else None)


def image_fragments(weights, stack, regions, codes):
    """regions (N, m, dim). Returns (N, m or m + k, D)."""
    x = layer_norm(linear(regions, weights, "fc"), weights, "norm", 1e-5)
    return encode(weights, stack, x, np.ones(x.shape[:2], bool), "poly_code_embeddings_v.weight" if codes else None)


def encode(weights, stack, x, mask, codes, layers=3):
    if codes:
        embedded = layer_norm(weights[codes], weights, "norm", 1e-5)
        x = np.concatenate([x, np.broadcast_to(embedded, (len(x), *embedded.shape))], 1)
        mask = np.concatenate([mask, np.ones((len(x), len(embedded)), bool)], 1)
    return np.concatenate(
        [
            _encode(weights, f"{stack}.encoder.layer", x[i : i + 100], mask[i : i + 100], layers)
            for i in range(0, len(x), 100)
        ]
    )


def _encode(weights, prefix, x, mask, layers):
    for layer in range(layers):
        name = f"{prefix}.{layer}"
        query, key, value = (linear(x, weights, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
        logits = query @ key.transpose(0, 2, 1) / math.sqrt(x.shape[-1]) - 1e4 * ~mask[:, None]  # one head
        attention = np.exp(logits - logits.max(-1, keepdims=True))
        attended = attention / attention.sum(-1, keepdims=True) @ value
        x = layer_norm(
            x + linear(attended, weights, f"{name}.attention.output.dense"),
            weights,
            f"{name}.attention.output.LayerNorm",
            1e-12,
        )
        inner = linear(x, weights, f"{name}.intermediate.dense")
        inner *= 0.5 + 0.5 * erf(inner / math.sqrt(2))
        x = layer_norm(x + linear(inner, weights, f"{name}.output.dense"), weights, f"{name}.output.LayerNorm", 1e-12)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def erf(x):
    """Off by 1e-7 at most: linear between the points of a table. NumPy has none."""
    place = np.clip(1000 * x + 6000, 0, 11999.999)
    below = place.astype("int64")
    return _ERF[below] + (_ERF[below + 1] - _ERF[below]) * (place - below)


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def layer_norm(x, weights, name, epsilon):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def score(text, image):
    """text (T, n, D), image (I, m, D). Returns (I, T): the sum over text positions of the best cosine with an image position."""
    scores = np.empty((len(image), len(text)))
    for start in range(0, len(text), 50):  # small enough for the processor's cache
        some = text[start : start + 50]
        best = np.full((some.shape[0] * some.shape[1], len(image)), -1.0)
        for position in range(image.shape[1]):
            np.maximum(best, some.reshape(-1, some.shape[-1]) @ image[:, position].T, out=best)
        scores[:, start : start + 50] = best.reshape(*some.shape[:2], -1).sum(1).T
    return scores


def recalls(scores, captions=5):
    """Scores (I, captions * I) of which caption c belongs to image c // captions. Returns R@1, R@5, R@10 and the median rank of t2i, then of i2t."""
    own = np.arange(scores.shape[1]) // captions
    t2i = (scores > scores[own, np.arange(len(own))]).sum(0)
    best = scores.reshape(len(scores), -1, captions)[np.arange(len(scores)), np.arange(len(scores))].max(1)
    i2t = (scores > best[:, None]).sum(1)
    return [[*(100 * (ranks < k).mean() for k in (1, 5, 10)), np.floor(np.median(ranks)) + 1] for ranks in (t2i, i2t)]
