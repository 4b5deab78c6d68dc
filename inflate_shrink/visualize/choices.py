"""What each text fragment chose in an image, given their cosines (Eq. 5): words to show, without a model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .labels import Labels


class Choice(NamedTuple):
    """text: a word or code of the caption. image: the region, code or padding it chose. cosine: of the two.
    region: the chosen one's number in the image from 0, or None where it is no region."""

    text: str
    image: str
    cosine: float
    region: int | None


class Match(NamedTuple):
    """words, codes: what each chose, in order. padding: how much the caption's padding adds to ``score``, in all."""

    words: list[Choice]
    codes: list[Choice]
    padding: float
    score: float

    def describe(self) -> str:
        """Write the score and its parts in one line."""
        parts = {
            "words": sum(choice.cosine for choice in self.words),
            "codes": sum(choice.cosine for choice in self.codes),
            "padding": self.padding,
        }
        return f"score {self.score:.2f} = " + " + ".join(
            f"{value:.2f} of {name}" for name, value in parts.items() if abs(value) >= 0.005
        )


def choose(
    cosines: np.ndarray, text_labels: Labels, image_labels: Labels, words: int, regions: int, score: float
) -> Match:
    """Return the choices of one text in one image.

    Args:
        cosines: (l, m) of the fragments of both; -infinity in the columns of fragments that do not count.
        text_labels, image_labels: of the fragments, None for padding; there may be more of them.
        words, regions: how many positions of each are words or their padding, and regions; codes follow.
        score: of the two, the sum of what all fragments of the text chose.
    """
    result = Match([], [], 0.0, score)
    for position, (label, chosen, cosine) in enumerate(zip(text_labels, cosines.argmax(1), cosines.max(1))):
        if label is not None:
            region = int(chosen) if chosen < regions else None
            side = result.words if position < words else result.codes
            side.append(Choice(label, image_labels[chosen] or "padding", float(cosine), region))
    return result._replace(padding=score - sum(choice.cosine for choice in result.words + result.codes))
