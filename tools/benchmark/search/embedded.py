"""Real embeddings of any number of images: photos and collages that a model encoded, and jittered copies of those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, NamedTuple

import numpy as np
import paddle
from tqdm import tqdm

from inflate_shrink.data.store import Store
from inflate_shrink.engine.checkpoint import Checkpoint
from inflate_shrink.engine.encode import image_batches, text_batches
from inflate_shrink.errors import InputError
from inflate_shrink.search.fit_stage import rows_of, rows_that_count, sample_captions

from .cascade_settings import CascadeBenchmark
from .collages import collages

BLOCK = 4096  # images
JITTER = 0.5  # length of what is added to a fragment of a copy, in lengths of the fragment
_NOISE = 1 << 20  # numbers that are drawn; what is added to a fragment begins anywhere among them


class Texts(NamedTuple):
    """Captions: fragments (l, d) of each, and F's vectors (n, b) or None."""

    fragments: list[np.ndarray]
    first: np.ndarray | None


class Block(NamedTuple):
    """Some images: ids, fragments (R, d) and how many each has (n,), F's vectors (n, b) or None."""

    ids: list[str]
    rows: np.ndarray
    lengths: np.ndarray
    first: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Embedded:
    """images: how many there are, the encoded ones first. rows (R, d) and lengths (E,): of the encoded ones; first:
    (E, b) by F, or None. queries: captions of a split, with the ids of their images, ``relevant``; sample: captions that
    a stage is fitted to. projection: (d, D), what all fragments are multiplied with, or None."""

    ids: list[str]
    images: int
    rows: np.ndarray
    lengths: np.ndarray
    first: np.ndarray | None
    captions: list[str]
    queries: Texts
    relevant: list[str]
    sample: Texts
    projection: np.ndarray | None
    seed: int

    def some(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the fragments (R, D) of some of the encoded images, and how many each has."""
        starts, lengths = np.cumsum(self.lengths) - self.lengths, self.lengths[chosen]
        places = np.repeat(starts[chosen] - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
        return self._projected(self.rows[places]), lengths

    def blocks(self) -> Iterator[Block]:
        """Yield all images, in bounded memory."""
        random = np.random.default_rng([self.seed, 2])
        noise = random.standard_normal(_NOISE, np.float32)
        for begin in range(0, len(self.ids), BLOCK):
            chosen = np.arange(begin, min(begin + BLOCK, len(self.ids)))
            first = None if self.first is None else self.first[chosen]
            yield Block(self.ids[begin : begin + BLOCK], *self.some(chosen), first)
        for begin in range(len(self.ids), self.images, BLOCK):
            end = min(begin + BLOCK, self.images)
            chosen = random.integers(len(self.ids), size=end - begin)
            rows, lengths = self.some(chosen)
            first = None if self.first is None else _jittered(self.first[chosen], noise, random)
            yield Block(
                [f"copy-{number}" for number in range(begin, end)], _jittered(rows, noise, random), lengths, first
            )

    def projected(self, texts: list[np.ndarray]) -> list[np.ndarray]:
        """Return the fragments (l, D) of texts."""
        return list(map(self._projected, texts))

    def _projected(self, rows: np.ndarray) -> np.ndarray:
        return rows if self.projection is None else rows @ self.projection


def embed(amount: CascadeBenchmark, checkpoint: Checkpoint, first: Checkpoint | None, store: Store) -> Embedded:
    """Encode the photos of a data set, the split's first, collages of them, captions of the split as queries, and
    captions of the training split.

    Raises InputError for fewer images than the split has.
    """
    split = store.split(amount.split)
    images = amount.images or len(store.image_ids)
    if images < len(split.image_rows):
        raise InputError(
            f"--images must be {len(split.image_rows)} or more, "
            f"the images of {store.directory}'s split {amount.split}, or 0, found {images}"
        )
    others = np.setdiff1d(np.arange(len(store.image_ids)), split.image_rows)
    photos = np.concatenate([split.image_rows, others])[:images]
    made = max(0, min(images, amount.encoded) - len(photos))
    ids = [store.image_ids[row] for row in photos] + [f"collage-{number}" for number in range(made)]
    chosen = np.random.default_rng(amount.seed).permutation(len(split.captions))[: amount.queries]
    captions = [split.captions[number] for number in chosen]
    models = [checkpoint, *([first] if first else [])]
    encoded = [_images(model, store, photos, made, amount.seed) for model in models]
    sampled = sample_captions(store, amount.seed, set(captions))
    queries, sample = (
        Texts(fragments[0], np.concatenate(fragments[1]) if first else None)
        for fragments in ([_texts(model, texts) for model in models] for texts in (captions, sampled))
    )
    dim, projection = checkpoint.config.model.hidden, None
    if amount.dim and amount.dim != dim:
        random = np.random.default_rng([amount.seed, 3])
        projection = np.linalg.qr(random.standard_normal((amount.dim, dim)))[0].T.astype(np.float32)
    relevant = [split.image_ids[split.caption_image[number]] for number in chosen]
    return Embedded(
        ids, images, *encoded[0], encoded[1][0] if first else None, captions, queries, relevant, sample, projection, amount.seed
    )  # fmt: skip


def _images(
    checkpoint: Checkpoint, store: Store, photos: np.ndarray, made: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    model, parts = checkpoint.load_model(), []

    def encoded():
        yield from map(rows_that_count, image_batches(model.encode_image, store, photos))
        for regions, counts in collages(store, made, seed):
            with paddle.no_grad():
                yield rows_that_count(model.encode_image(paddle.to_tensor(regions), paddle.to_tensor(counts)))

    label = f"encode with {checkpoint.config.name}"
    with tqdm(total=len(photos) + made, desc=label, unit="image", disable=None, leave=False) as bar:
        for part in encoded():
            parts.append(part)
            bar.update(len(part[1]))
    return tuple(map(np.concatenate, zip(*parts)))


def _texts(checkpoint: Checkpoint, texts: list[str]) -> list[np.ndarray]:
    fragments, counts = rows_of(text_batches(checkpoint.load_model().encode_text, checkpoint.tokenizer()(texts)))
    return np.split(fragments, np.cumsum(counts)[:-1])


def _jittered(rows: np.ndarray, noise: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return rows (R, d) with noise added, as long as before."""
    places = random.integers(len(noise) - rows.shape[1], size=len(rows))
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found = np.lib.stride_tricks.sliding_window_view(noise, rows.shape[1])[places]
    found *= JITTER / np.sqrt(rows.shape[1]) * lengths
    found += rows
    found *= lengths / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-30)
    return found
