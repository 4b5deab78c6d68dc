"""Where a model with several fragments a side gets its score from: blocks of words, padding, regions and codes."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import numpy as np
import paddle

from ..data.store import Store
from ..data.tokenized import TokenizedSplit, tokenize_split
from ..errors import InputError
from ..formatting import HEADINGS, recalls_text, slashes, text_table
from ..metrics import recalls
from ..model.encoder import DualEncoder
from ..model.inputs import PAD_ID
from ..scoring import Fragments
from ..scoring.blocks import ScoreBlocks, score_blocks
from .checkpoint import Checkpoint
from .encode import encode_images, encode_texts, text_batches

TEXT_PARTS, IMAGE_PARTS = ("words", "padding", "codes"), ("regions", "padding", "codes")
WEIGHTS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)  # of a part, beside words and regions
REFERENCES = 1000  # training captions and training images over which hubness is a mean


def evaluate_blocks(
    checkpoint: Checkpoint, data_dir: str | Path, split: str, fragments: int | str = "all", images: int = 0
) -> dict:
    """Split the scores of a checkpoint on a split, as JSON values (recalls and shares in percent).

    Args:
        fragments: score only the first so many of each side.
        images: only the first so many images of the split; 0: all.

    Raises InputError for a model whose score has no blocks: another than late interaction, or one vector a side.
    """
    config = checkpoint.config.model
    if config.scoring != "late_interaction" or 1 in (config.fragments, fragments):
        found = "one fragment a side" if config.scoring == "late_interaction" else f"scoring {config.scoring}"
        problem = f"has {found}; blocks are those of late interaction with several fragments"
        raise InputError(f"{checkpoint.directory}: {problem}")
    store, model, tokenizer = checkpoint.open_data(data_dir), checkpoint.load_model(), checkpoint.tokenizer()
    data = tokenize_split(store, split, tokenizer).first_images(images)
    image = encode_images(model, store, data.split.image_rows, fragments)
    counts = store.region_counts[data.split.image_rows]
    parts = _present(IMAGE_PARTS, _parts(image, counts, store.regions.shape[1]))
    blocks, text_parts = _split(model, data, image, np.stack(list(parts.values())), fragments)
    result = {
        "split": split,
        "images": len(counts),
        "captions": len(data.ids),
        "fragments": {"text": _per_item(text_parts), "image": _per_item(parts)},
        **_as_json(blocks, list(text_parts), parts, data.split.caption_image),
    }
    training = tokenize_split(store, checkpoint.config.data.train_split, tokenizer)
    result["hubness"] = _hubness(model, store, data, training, image, blocks.scores[:, -1].sum(0), fragments)
    return result


def _split(
    model: DualEncoder, data: TokenizedSplit, image: Fragments, image_parts: np.ndarray, fragments: int | str
) -> tuple[ScoreBlocks, dict[str, np.ndarray]]:
    """Return the blocks of all captions, and the text's parts that there are, each (captions, l) bool."""
    found, masks, done = [], [], 0
    for text in text_batches(model.encode_text, data.ids):
        text, rows = text.first(fragments), slice(done, done + len(text.vectors))
        ids = data.ids[rows]
        masks.append(_parts(text, (ids != PAD_ID).sum(1), ids.shape[1]))
        own = data.split.caption_image[rows]
        found.append(score_blocks(text.vectors, image.vectors, masks[-1], image_parts, own))
        done = rows.stop
    scores = np.concatenate([each.scores for each in found], axis=-1)
    blocks = ScoreBlocks(scores, sum(each.won for each in found), sum(each.won_own for each in found))
    parts = _present(TEXT_PARTS, np.concatenate(masks, axis=1))
    kept = [TEXT_PARTS.index(name) for name in parts]
    return ScoreBlocks(*(array[kept] for array in blocks)), parts


def _parts(fragments: Fragments, counts: np.ndarray, inputs: int) -> np.ndarray:
    """Return which fragments are valid inputs, padding and codes, (3, n, l) bool; what is masked is of no part."""
    position = np.broadcast_to(np.arange(fragments.vectors.shape[1]), fragments.vectors.shape[:2])
    given, valid = position < inputs, position < counts[:, None]
    parts = np.stack([given & valid, given & ~valid, ~given])
    return parts & (fragments.float_mask().numpy() > 0)


def _present(names: tuple[str, ...], parts: np.ndarray) -> dict[str, np.ndarray]:
    return {name: part for name, part in zip(names, parts) if part.any()}


def _per_item(parts: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(part.sum(1).mean()) for name, part in parts.items()}


def _as_json(blocks: ScoreBlocks, text: list[str], parts: dict[str, np.ndarray], own: np.ndarray) -> dict:
    image = [*parts, "all"] if len(parts) > 1 else list(parts)
    scores = blocks.scores[:, : len(image)]

    def measured(matrix: np.ndarray, **of) -> dict:
        found = recalls(matrix, own)
        return {**of, "t2i": found.t2i._asdict(), "i2t": found.i2t._asdict(), "rsum": found.rsum}

    rows = [(name, scores[row]) for row, name in enumerate(text)]
    if text[1:2] == ["padding"] and len(text) > 2:
        rows.append(("words and padding", scores[:2].sum(0)))
    rows += [("all", scores.sum(0))] if len(text) > 1 else []
    weighted = [
        measured(scores[:, -1].sum(0) + (weight - 1) * scores[row, -1], part=name, weight=weight)
        for row, name in enumerate(text)
        if row
        for weight in WEIGHTS
    ]
    return {
        "blocks": [
            measured(matrix, text=name, image=column)
            for name, of_text in rows
            for column, matrix in zip(image, of_text)
        ],
        "weighted": weighted,
        "added": [measured(matrix, weight=weight) for weight, matrix in _added(scores, text, list(parts))],
        "won": {name: _shares(blocks.won[row], parts) for row, name in enumerate(text)},
        "won_own": {name: _shares(blocks.won_own[row], parts) for row, name in enumerate(text)},
    }


def _added(scores: np.ndarray, text: list[str], image: list[str]) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the sum of the blocks (P, Q + 1, I, T), those with codes weighted: no part competes for the best cosine."""
    coded = np.array([[1 if "codes" in (of_text, of_image) else 0 for of_image in image] for of_text in text])
    if coded.any() and not coded.all():
        plain, codes = (np.einsum("pqit,pq->it", scores[:, : len(image)], which) for which in (1 - coded, coded))
        yield from ((weight, plain + weight * codes) for weight in WEIGHTS)


def _shares(won: np.ndarray, parts: dict[str, np.ndarray]) -> dict:
    """Return the percentage of maxima that each part of an image won, of codes each by itself too."""
    percent = 100 * won / max(1, won.sum())
    codes = parts["codes"].any(0) if "codes" in parts else np.zeros(len(won), bool)
    shares = {"inputs": float(percent[~codes].sum())}
    return (
        {**shares, "codes": float(percent[codes].sum()), "each_code": percent[codes].tolist()} if any(codes) else shares
    )


def _hubness(
    model: DualEncoder,
    store: Store,
    data: TokenizedSplit,
    training: TokenizedSplit,
    image: Fragments,
    scores: np.ndarray,
    fragments: int | str,
) -> dict:
    """Return the recalls without an image's mean score over training captions, and a caption's over training images."""
    captions, rows = _spread(training.ids), _spread(training.split.image_rows)
    with paddle.no_grad():
        of_image = model.score(encode_texts(model, captions).first(fragments), image).numpy().mean(1)
        others = encode_images(model, store, rows, fragments)
        texts = (text.first(fragments) for text in text_batches(model.encode_text, data.ids))
        of_text = np.concatenate([model.score(text, others).numpy().mean(0) for text in texts])
    found = recalls(scores - of_image[:, None] - of_text, data.split.caption_image)
    before = recalls(scores, data.split.caption_image)
    sides = {
        side: {"before": getattr(before, side)._asdict(), "after": getattr(found, side)._asdict()}
        for side in ("t2i", "i2t")
    }
    return {"captions": len(captions), "images": len(rows), **sides}


def _spread(items: np.ndarray) -> np.ndarray:
    """Take at most :data:`REFERENCES` of them, evenly spaced."""
    return items[np.linspace(0, len(items) - 1, min(len(items), REFERENCES)).astype(int)]


def describe_blocks(result: dict) -> str:
    """Return the result of :func:`evaluate_blocks` as tables."""
    form = "{:<18} {:<14} {:>15} {:>15} {:>6}"

    def row(first: str, second: object, measured: dict) -> tuple:
        return first, second, *recalls_text(measured), f"{measured['rsum']:.1f}"

    held = (f"{side}: {_named(parts)}" for side, parts in result["fragments"].items())
    lines = [f"{result['images']} images, {result['captions']} captions of split {result['split']}; {'; '.join(held)}"]
    blocks = (row(each["text"], each["image"], each) for each in result["blocks"])
    lines += ["", text_table(form, [("of the text", "of the image", *HEADINGS, "rsum"), *blocks])]
    if result["weighted"]:
        weighted = [row(f"all, {each['part']}", f"x {each['weight']:g}", each) for each in result["weighted"]]
        added = [row("blocks added", f"codes' x {each['weight']:g}", each) for each in result["added"]]
        lines += ["", text_table(form, [("weighted", "", *HEADINGS, "rsum"), *weighted, *added])]
    if any("codes" in shares for shares in result["won"].values()):
        lines += [
            "",
            "maxima won by image codes, in percent: all pairs, own pairs; the codes that won most in all pairs",
        ]
        lines += [_won_line(name, shares, result["won_own"][name]) for name, shares in result["won"].items()]
    hubness = result["hubness"]
    means = "without its mean score over {} training {}: R@1/5/10 {} to {}"
    for side, what, others in (("t2i", "each image", "captions"), ("i2t", "each caption", "images")):
        moved = (slashes(list(hubness[side][when].values())[:3]) for when in ("before", "after"))
        lines.append(f"{side}, {what} {means.format(hubness[others], others, *moved)}")
    return "\n".join(lines)


def _named(parts: dict[str, float]) -> str:
    return ", ".join(f"{count:.1f} {name}" for name, count in parts.items())


def _won_line(name: str, shares: dict, own: dict) -> str:
    best = sorted(enumerate(shares["each_code"]), key=lambda pair: -pair[1])[:8]
    each = ", ".join(f"{number + 1}: {share:.1f}" for number, share in best if share >= 0.05)
    return f"{name:<18} {shares['codes']:5.1f} {own['codes']:5.1f}   {each}"
