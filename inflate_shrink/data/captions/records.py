"""One caption, as every reader of captions gives it."""

from __future__ import annotations

from typing import NamedTuple


class Caption(NamedTuple):
    """``image_id``: the image's name in the caption file; ``split``: None where the file says nothing;
    ``where``: file and line or key, for messages."""

    image_id: str
    text: str
    split: str | None
    where: str
