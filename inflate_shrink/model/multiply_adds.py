"""What a model costs, in multiply-adds (Sec. 5.3)."""

from __future__ import annotations


def transformer(length: int, hidden: int, layers: int, ffn: int) -> int:
    """Return the multiply-adds of one pass over ``length`` positions: products with the weights, and attention."""
    return layers * length * (4 * hidden**2 + 2 * hidden * ffn + 2 * length * hidden)


def interactions(fragments: int, hidden: int) -> int:
    """Return those of the cosines between all fragments of a text and of an image (Eq. 5)."""
    return fragments**2 * hidden
