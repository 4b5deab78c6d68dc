"""From what the user asked for to a PNG and an HTML page: ``tools/visualize.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from ..atomic import atomic_path
from ..engine.checkpoint import Checkpoint, open_checkpoint
from ..errors import InputError
from .attention import attention
from .attention_figure import chosen, draw_attention
from .labels import image_labels, text_labels
from .match import best_image, match, require_choices
from .match_figure import draw_match
from .page import attention_page, match_page
from .photo import open_scene
from .selection import Wanted, caption_ids, open_source


def attention_pictures(
    checkpoint: str, wanted: Wanted, out: str, layers: Sequence[int] | None = None, heads: Sequence[int] | None = None
) -> str:
    """Write OUT.png and OUT.html: the attention over one caption or one image. Returns what was written, in one line.

    Args:
        checkpoint: a checkpoint or run directory.
        wanted: one of caption, image and number; the number's caption.
        layers, heads: those in the PNG, from 1; None is all. The page holds all.

    Raises:
        InputError: anything in ``wanted`` or the checkpoint that cannot be drawn.
    """
    if [wanted.caption, wanted.image, wanted.number].count(None) != 2:
        raise InputError("give one of --caption, --image and --number")
    opened = _open(checkpoint)
    shape = opened.config.model
    layers, heads = chosen(layers, shape.layers, "--layers"), chosen(heads, shape.heads, "--heads")
    if wanted.image is None:
        caption = wanted.caption if wanted.number is None else open_source(opened, wanted).pair(wanted.number)[0]
        tokenizer = opened.tokenizer()
        ids, model = caption_ids(tokenizer, caption), opened.load_model()
        labels = text_labels(ids[0], tokenizer, shape.codes)
        result, what = attention(model, model.encode_text, (ids,), labels), f'"{caption}"'
    else:
        source = open_source(opened, wanted)
        regions, counts = source.store.read_regions([source.row(wanted.image)])
        model, labels = opened.load_model(), image_labels(counts[0], regions.shape[1], shape.codes)
        result, what = attention(model, model.encode_image, (regions, counts), labels), f"image {wanted.image}"
    title = f"Attention of {_name(opened)}: {what}"
    draw_attention(result, title, layers, heads, Path(f"{out}.png"))
    _write(Path(f"{out}.html"), attention_page(result, title))
    return (
        f"{out}.png, {out}.html: {shape.layers} layers, {shape.heads} heads, {len(result.labels)} positions of {what}"
    )


def match_pictures(checkpoint: str, wanted: Wanted, out: str) -> str:
    """Write OUT.png and OUT.html: what each word of a caption chose in an image. Returns what was written, in one line.

    Args:
        wanted: a caption, with an image or else the split's best for it; or a number.

    Raises:
        InputError: anything in ``wanted`` or the checkpoint that cannot be drawn.
    """
    if (wanted.caption is None) == (wanted.number is None) or (wanted.number is not None and wanted.image is not None):
        raise InputError("give --caption, with or without --image, or --number alone")
    opened = _open(checkpoint)
    require_choices(opened.config, opened.directory)
    source, codes = open_source(opened, wanted), opened.config.model.codes
    caption, row = (wanted.caption, None) if wanted.number is None else source.pair(wanted.number)
    if wanted.image is not None:
        row = source.row(wanted.image)
    tokenizer = opened.tokenizer()
    ids, model = caption_ids(tokenizer, caption), opened.load_model()
    if row is None:
        row = best_image(model, source.store, ids, source.store.split(source.split).image_rows)
    regions, counts = source.store.read_regions([row])
    labels = text_labels(ids[0], tokenizer, codes), image_labels(counts[0], regions.shape[1], codes)
    result = match(model, ids, regions, counts, *labels)
    scene, image = open_scene(source.store, row), source.store.image_ids[row]
    title = f'{_name(opened)}, image {image}: "{caption}"'
    draw_match(result, scene, title, Path(f"{out}.png"))
    _write(Path(f"{out}.html"), match_page(result, scene, title))
    return f'{out}.png, {out}.html: "{caption}" in image {image}, {result.describe()}'


def _open(directory: str) -> Checkpoint:
    checkpoint = open_checkpoint(directory)
    if checkpoint.config.model.scoring == "cross":
        raise InputError(
            f"{checkpoint.directory}: a cross-BERT (model.scoring cross) reads pairs, "
            "it has no words and regions of their own to draw"
        )
    return checkpoint


def _name(checkpoint: Checkpoint) -> str:
    return checkpoint.config.name or str(checkpoint.directory)


def _write(path: Path, page: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
