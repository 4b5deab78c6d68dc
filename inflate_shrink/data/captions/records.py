"""One caption, as every reader of captions gives it, and what a reader may need to know besides the file."""

from __future__ import annotations

from typing import NamedTuple


class Caption(NamedTuple):
    """``image_id``: the image's name in the caption file; ``split``: None where the file says nothing;
    ``where``: file and line or key, for messages."""

    image_id: str
    text: str
    split: str | None
    where: str


class CaptionOptions(NamedTuple):
    """``image_column``, ``caption_column``, ``split_column``: of csv and tsv; "" for the last means no split.
    ``restval``: Karpathy's restval images belong to train, instead of being left out.
    ``vocab``: the WordPiece vocabulary that the ids of the format ``released`` belong to."""

    image_column: str = "image"
    caption_column: str = "caption"
    split_column: str = ""
    restval: bool = True
    vocab: str = ""
