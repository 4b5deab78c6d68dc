"""The model's scores of a batch, however it is computed: in mixed precision, by several processes, in chunks.

In chunks (``optim.chunk``; "gradient caching", Gao et al. 2021) all pairs are encoded without gradient, chunk by
chunk, and scored; from the gradient of the scores come those of the fragments, chunk by chunk of images; then each
chunk is encoded again, with the same dropout, for the gradients of the weights. Activations and similarities of one
chunk are in memory at a time, and the loss is that of the whole batch.

What occurs twice or decides nothing is not computed: a process that has the batch alone encodes and scores an image of
several pairs once, and texts without the padding that the model does not need, in groups of like length.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np
import paddle
from paddle.autograd import PyLayer

from ..data.batches import Batch
from ..model.encoder import DualEncoder
from ..model.inputs import PAD_ID
from ..scoring import Fragments
from .precision import Precision
from .ranks import ALONE, Ranks

TEXT_GROUPS = 4  # of a batch by length, on the CPU: more of them save more padding, and cost more calls


class Execution(NamedTuple):
    """How updates are computed: what they are but for rounding is left to the objective."""

    precision: Precision
    ranks: Ranks = ALONE  # the processes that share a batch
    chunk: int = 0  # pairs of which activations are held at a time; 0: all


class _Compact(NamedTuple):
    """A batch with each of its images once and its texts in the order of their lengths; scores (images, texts) of it."""

    batch: Batch
    row_of: np.ndarray  # (B,) each pair's image
    column_of: np.ndarray  # (B,) each pair's text

    def restore(self, scores: paddle.Tensor) -> paddle.Tensor:
        """Return the scores (B, B) of the pairs."""
        for axis, places in ((1, self.column_of), (0, self.row_of)):
            if not np.array_equal(places, np.arange(scores.shape[axis])):
                scores = paddle.index_select(scores, paddle.to_tensor(places), axis)
        return scores


def batch_scores(model: DualEncoder, batch: Batch, execution: Execution) -> paddle.Tensor:
    """Return the model's scores (B, B) float32 of a batch, rows images, with gradient."""
    if execution.ranks.size > 1:  # each has a part of the images, and equally many
        return _all_scores(model, batch, execution)
    compact = _compact(model, batch)
    return compact.restore(_all_scores(model, compact.batch, execution))


def _all_scores(model: DualEncoder, batch: Batch, execution: Execution) -> paddle.Tensor:
    """Return the scores (images, texts) of all images of a batch with all of its texts."""
    if execution.chunk:
        anchor = paddle.zeros([1])  # a layer of Paddle has a gradient only if one of its inputs has
        anchor.stop_gradient = False
        return _InChunks.apply(anchor, _Chunks(model, batch, execution))
    ranks, precision = execution.ranks, execution.precision
    encode_texts, encode_images = _encoders(model, batch, precision)
    groups = _like_lengths(model, batch.ids) if ranks.size == 1 else [(slice(None), _needed(model, batch.ids))]
    texts, image = [encode_texts(*group) for group in groups], encode_images(slice(None))
    scores = [ranks.gather(model.score(ranks.gather_encoded(text), image)) for text in texts]
    return scores[0] if len(scores) == 1 else paddle.concat(scores, axis=1)


def _compact(model: DualEncoder, batch: Batch) -> _Compact:
    n, given = batch.ids.shape
    order = np.arange(n)
    if model.config.positions_needed(1, given) < given:
        order = np.argsort((batch.ids != PAD_ID).sum(1), kind="stable")
    _, first, row_of = np.unique(2 * batch.images + batch.mirrored, return_index=True, return_inverse=True)
    regions, counts = batch.regions, batch.counts
    if len(first) < len(counts):
        regions, counts = regions[first], counts[first]
    else:
        row_of = np.arange(len(counts))
    return _Compact(batch._replace(ids=batch.ids[order], regions=regions, counts=counts), row_of, np.argsort(order))


def _needed(model: DualEncoder, ids: np.ndarray) -> int:
    """Return how many positions of texts decide their scores."""
    return model.config.positions_needed(int((ids != PAD_ID).sum(1).max()), ids.shape[1])


def _like_lengths(model: DualEncoder, ids: np.ndarray) -> list[tuple[slice, int]]:
    """Return groups of texts, which are in the order of their lengths, and how many positions each group needs."""
    number = 1 if paddle.device.get_device().startswith("gpu") else min(TEXT_GROUPS, len(ids))  # calls cost a GPU more
    ends = [round(len(ids) * group / number) for group in range(number + 1)]
    groups = [(slice(*pair), _needed(model, ids[slice(*pair)])) for pair in zip(ends, ends[1:])]
    return groups if groups[0][1] < ids.shape[1] else [(slice(None), ids.shape[1])]


def batch_fragments(model: DualEncoder, batch: Batch, precision: Precision) -> tuple[Fragments, Fragments]:
    """Return the fragments of a batch's texts and images, of which this process has all, with gradient."""
    encode_texts, encode_images = _encoders(model, batch, precision)
    return encode_texts(slice(None)), encode_images(slice(None))


def _encoders(model: DualEncoder, batch: Batch, precision: Precision) -> tuple[Callable, Callable]:
    """Return functions that encode a part of this process's texts and images: slice -> Fragments."""
    ids, longest = batch.ids[batch.own], _needed(model, batch.ids)
    regions = batch.regions[:, : model.config.positions_needed(int(batch.counts.max()), batch.regions.shape[1])]

    def encode_texts(part: slice, length: int = longest) -> Fragments:
        with precision.autocast():
            return precision.cast(model.encode_text(paddle.to_tensor(ids[part, :length])))

    def encode_images(part: slice) -> Fragments:
        with precision.autocast():
            return precision.cast(
                model.encode_image(paddle.to_tensor(regions[part]), paddle.to_tensor(batch.counts[part]))
            )

    return encode_texts, encode_images


class _Chunks:
    """The scores of a batch forwards, and the gradients of the weights backwards, chunk by chunk."""

    def __init__(self, model: DualEncoder, batch: Batch, execution: Execution):
        self.model, self.ranks = model, execution.ranks
        self.encoders = _encoders(model, batch, execution.precision)
        counts = len(batch.ids[batch.own]), len(batch.counts)
        self.parts = [[slice(i, i + execution.chunk) for i in range(0, n, execution.chunk)] for n in counts]

    def forward(self) -> paddle.Tensor:
        """Return the scores (B, B); keeps the fragments, and the random state of each chunk."""
        with paddle.no_grad():
            self.states, sides = [], []
            for encode, parts in zip(self.encoders, self.parts):
                side = []
                for part in parts:
                    self.states.append(paddle.get_rng_state())
                    side.append(encode(part))
                sides.append(side)
            texts, self.images = sides
            self.text = self.ranks.gather_encoded(_concat(texts))
            rows = paddle.concat([self.model.score(self.text, image) for image in self.images])
            return self.ranks.gather(rows)

    def backward(self, gradient: paddle.Tensor) -> None:
        """Add to the gradients of the weights, from that of the scores (B, B)."""
        of_rows, of_fragments = self.ranks.own_part(gradient), []
        text = _leaf(self.text)
        for part, image in zip(self.parts[1], self.images):
            image = _leaf(image)
            paddle.autograd.backward([self.model.score(text, image)], [of_rows[part]])
            of_fragments.append(image.vectors.grad)
        of_text = self.ranks.own_part(self.ranks.sum(text.vectors.grad))
        of_fragments = [of_text[part] for part in self.parts[0]] + of_fragments
        encodings = [(encode, part) for encode, parts in zip(self.encoders, self.parts) for part in parts]
        for (encode, part), state, of_chunk in zip(encodings, self.states, of_fragments):
            paddle.set_rng_state(state)
            vectors = encode(part).vectors
            if not vectors.stop_gradient:  # its weights may be frozen
                paddle.autograd.backward([vectors], [of_chunk])


class _InChunks(PyLayer):
    """Scores whose backward pass fills the gradients of the weights itself."""

    @staticmethod
    def forward(ctx, anchor, chunks):
        ctx.chunks = chunks
        return chunks.forward()

    @staticmethod
    def backward(ctx, gradient):
        with paddle.enable_grad():
            ctx.chunks.backward(gradient)
        return paddle.zeros([1])


def _leaf(fragments: Fragments) -> Fragments:
    vectors = fragments.vectors.detach()
    vectors.stop_gradient = False
    return Fragments(vectors, fragments.mask)


def _concat(parts: list[Fragments]) -> Fragments:
    masks = [part.mask for part in parts]
    return Fragments(
        paddle.concat([part.vectors for part in parts]), None if masks[0] is None else paddle.concat(masks)
    )
