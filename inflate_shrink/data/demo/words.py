"""The words of the demo captions: every attribute, place and relation in several wordings."""

from __future__ import annotations

from ..vocabulary import SPECIAL_TOKENS

COLOUR_WORDS = {
    "red": ("red", "crimson", "scarlet"),
    "orange": ("orange", "tangerine"),
    "yellow": ("yellow", "golden"),
    "green": ("green", "emerald"),
    "turquoise": ("turquoise", "cyan"),
    "blue": ("blue", "azure"),
    "purple": ("purple", "violet"),
    "pink": ("pink", "rosy"),
    "white": ("white", "ivory"),
    "black": ("black", "dark"),
}
SHAPE_WORDS = {
    "circle": ("circle", "disc", "ball"),
    "square": ("square", "box"),
    "triangle": ("triangle", "wedge"),
    "star": ("star", "asterisk"),
    "cross": ("cross", "plus"),
    "ring": ("ring", "hoop", "doughnut"),
    "heart": ("heart", "valentine"),
    "crescent": ("crescent", "moon"),
}
SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
TEXTURE_WORDS = {
    "plain": ("plain", "solid", "unpatterned"),
    "striped": ("striped", "banded"),
    "dotted": ("dotted", "spotted"),
    "checked": ("checked", "chequered"),
}
PLACE_WORDS = {  # (row, column); None where only the other one is said
    ("top", None): ("at the top", "near the upper edge"),
    ("middle", None): ("halfway down", "at medium height"),
    ("bottom", None): ("at the bottom", "near the lower edge"),
    (None, "left"): ("on the left", "at the left side"),
    (None, "centre"): ("in a central column", "midway across"),
    (None, "right"): ("on the right", "at the right side"),
    ("top", "left"): ("in the upper left corner", "at the top left"),
    ("top", "centre"): ("at the top centre", "in the upper middle"),
    ("top", "right"): ("in the upper right corner", "at the top right"),
    ("middle", "left"): ("at the middle left", "halfway down on the left"),
    ("middle", "centre"): ("in the centre", "right in the middle"),
    ("middle", "right"): ("at the middle right", "halfway down on the right"),
    ("bottom", "left"): ("in the lower left corner", "at the bottom left"),
    ("bottom", "centre"): ("at the bottom centre", "in the lower middle"),
    ("bottom", "right"): ("in the lower right corner", "at the bottom right"),
}
RELATION_WORDS = {
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "above": ("above", "over", "higher than"),
    "below": ("below", "under", "beneath"),
    "beside": ("beside", "next to", "close to"),
}
VERBS = ("is", "sits", "lies", "rests", "floats", "appears")
OPENINGS = ("there is", "we see", "the picture shows", "one can see", "the image contains")
JOINTS = (", and ", " and ")
ADJECTIVES_AND_NOUN = {"size": SIZE_WORDS, "colour": COLOUR_WORDS, "texture": TEXTURE_WORDS, "shape": SHAPE_WORDS}
FIXED = ("a", "an", ",", ".")


def vocabulary() -> list[str]:
    """Return the special tokens, then every word of the grammar once, sorted: the lines of ``vocab.txt``."""
    phrases = [*VERBS, *OPENINGS, *JOINTS, *FIXED]
    for lexicon in (*ADJECTIVES_AND_NOUN.values(), PLACE_WORDS, RELATION_WORDS):
        for wordings in lexicon.values():
            phrases.extend(wordings)
    words = " ".join(phrases).replace(",", " , ").split()
    return [*SPECIAL_TOKENS, *sorted(set(words))]
