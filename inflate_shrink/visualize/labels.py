"""What each position of the encoder's input is called."""

from __future__ import annotations

from typing import List, Optional, Sequence

from ..data.text import CaptionTokenizer
from ..data.vocabulary import PAD_ID, parse_vocabulary

# Words that name nothing in a picture.
_QUIET = frozenset("a an the and or of in on at to is are be with by for it its there".split())

Labels = List[Optional[str]]  # None: padding


def text_labels(ids: Sequence[int], tokenizer: CaptionTokenizer, codes: int) -> Labels:
    """Return the WordPieces of ``ids`` (n,), then the codes: n + k labels, None for padding."""
    pieces = parse_vocabulary(tokenizer.vocabulary, tokenizer.vocab_file)
    return [None if number == PAD_ID else pieces[number] for number in ids] + _codes(codes)


def image_labels(count: int, slots: int, codes: int) -> Labels:
    """Return the ``count`` regions in ``slots`` slots, then the codes: slots + k labels, None for padding."""
    return [f"region {number}" if number <= count else None for number in range(1, slots + 1)] + _codes(codes)


def is_quiet(label: str) -> bool:
    """Say whether a label names nothing that a region could show: a special token, punctuation, an article and the
    like."""
    return (
        label in _QUIET
        or (label.startswith("[") and label.endswith("]"))
        or not any(character.isalnum() for character in label)
    )


def shorten(text: str, length: int) -> str:
    """Cut ``text`` to ``length`` characters, the last of them an ellipsis where something was cut."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _codes(codes: int) -> Labels:
    return [f"code {number}" for number in range(1, codes + 1)]
