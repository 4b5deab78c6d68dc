"""What a reader of captions may need to know besides the file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CaptionOptions:
    """``image_column``, ``caption_column``, ``split_column``: of csv and tsv; "" for the last means no split.
    ``restval``: Karpathy's restval images belong to train, instead of being left out.
    ``vocab``: the WordPiece vocabulary that the ids of the format ``released`` belong to.
    """

    image_column: str = "image"
    caption_column: str = "caption"
    split_column: str = ""
    restval: bool = True
    vocab: str = ""
