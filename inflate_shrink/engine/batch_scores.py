"""The model's scores of a batch, however it is computed: in mixed precision, by several processes, in chunks.

In chunks (``optim.chunk``; "gradient caching", Gao et al. 2021) all pairs are encoded without gradient, chunk by
chunk, and scored; from the gradient of the scores come those of the fragments, chunk by chunk of images; then each
chunk is encoded again, with the same dropout, for the gradients of the weights. Activations and similarities of one
chunk are in memory at a time, and the loss is that of the whole batch.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import paddle
from paddle.autograd import PyLayer

from ..data.batches import Batch
from ..model.encoder import DualEncoder
from ..scoring import Fragments
from .precision import Precision
from .ranks import ALONE, Ranks


class Execution(NamedTuple):
    """How updates are computed: what they are but for rounding is left to the objective."""

    precision: Precision
    ranks: Ranks = ALONE  # the processes that share a batch
    chunk: int = 0  # pairs of which activations are held at a time; 0: all


def batch_scores(model: DualEncoder, batch: Batch, execution: Execution) -> paddle.Tensor:
    """Return the model's scores (B, B) float32 of a batch, rows images, with gradient."""
    if execution.chunk:
        anchor = paddle.zeros([1])  # a layer of Paddle has a gradient only if one of its inputs has
        anchor.stop_gradient = False
        return _InChunks.apply(anchor, _Chunks(model, batch, execution))
    ranks, precision = execution.ranks, execution.precision
    encode_texts, encode_images = _encoders(model, batch, precision)
    text, image = encode_texts(slice(None)), encode_images(slice(None))
    return ranks.gather(model.score(ranks.gather_encoded(text), image))


def batch_fragments(model: DualEncoder, batch: Batch, precision: Precision) -> tuple[Fragments, Fragments]:
    """Return the fragments of a batch's texts and images, of which this process has all, with gradient."""
    encode_texts, encode_images = _encoders(model, batch, precision)
    return encode_texts(slice(None)), encode_images(slice(None))


def _encoders(model: DualEncoder, batch: Batch, precision: Precision) -> tuple[Callable, Callable]:
    """Return functions that encode a part of this process's texts and images: slice -> Fragments."""
    ids = batch.ids[batch.own]

    def encode_texts(part: slice) -> Fragments:
        with precision.autocast():
            return precision.cast(model.encode_text(paddle.to_tensor(ids[part])))

    def encode_images(part: slice) -> Fragments:
        with precision.autocast():
            regions, counts = paddle.to_tensor(batch.regions[part]), paddle.to_tensor(batch.counts[part])
            return precision.cast(model.encode_image(regions, counts))

    return encode_texts, encode_images


class _Chunks:
    """The scores of a batch forwards, and the gradients of the weights backwards, chunk by chunk."""

    def __init__(self, model: DualEncoder, batch: Batch, execution: Execution):
        self.model, self.ranks = model, execution.ranks
        self.parts = [slice(i, i + execution.chunk) for i in range(0, len(batch.counts), execution.chunk)]
        self.encoders = _encoders(model, batch, execution.precision)

    def forward(self) -> paddle.Tensor:
        """Return the scores (B, B); keeps the fragments, and the random state of each chunk."""
        with paddle.no_grad():
            self.states, sides = [], []
            for encode in self.encoders:
                side = []
                for part in self.parts:
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
        for part, image in zip(self.parts, self.images):
            image = _leaf(image)
            paddle.autograd.backward([self.model.score(text, image)], [of_rows[part]])
            of_fragments.append(image.vectors.grad)
        of_text = self.ranks.own_part(self.ranks.sum(text.vectors.grad))
        of_fragments = [of_text[part] for part in self.parts] + of_fragments
        encodings = [(encode, part) for encode in self.encoders for part in self.parts]
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
