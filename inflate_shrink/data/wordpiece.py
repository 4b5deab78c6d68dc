"""BERT's words and WordPieces, id for id those of paddlenlp's BertTokenizer, whose import takes seconds.

paddlenlp and not the original BERT is the measure, because checkpoints are trained on its ids. It sets apart
symbols outside ASCII too (``90°``, ``£5``) and drops code points that Python's Unicode tables do not know.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Sequence

from .vocabulary import SPECIAL_TOKENS

LONGEST_WORD = 100  # characters; a longer word is [UNK]
_SPECIAL = re.compile("(" + "|".join(map(re.escape, SPECIAL_TOKENS)) + ")")
# The first and the last character of each block.
_CHINESE = (
    "\u3400\u4dbf",
    "\u4e00\u9fff",
    "\uf900\ufaff",
    "\U00020000\U0002a6df",
    "\U0002a700\U0002ceaf",
    "\U0002f800\U0002fa1f",
)
# Besides what Unicode calls punctuation or a symbol.
_SET_APART = {*"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", *"\u00ad\u00b2\u00ba\u3007\u00b5\u00d8\u014b\u01b1"}


def words(text: str, kept: Sequence[str] = ()) -> list[str]:
    """Return BERT's words before they are cut into pieces: lower case, no accents, punctuation and Chinese apart.

    Args:
        kept: of the special tokens: these stay as they are where they stand alone.
    """
    lower = "".join(part if part in SPECIAL_TOKENS else _lower(part) for part in _SPECIAL.split(text))
    found = []
    for word in "".join(map(_cleaned, lower)).split():
        found += [word] if word in kept else "".join(map(_apart, unicodedata.normalize("NFD", word.lower()))).split()
    return found


def wordpieces(word: str, vocabulary: dict[str, int]) -> list[int]:
    """Return ids of the longest pieces of ``vocabulary``, from the left, that make up a word of BERT's, or of [UNK]."""
    pieces, start = [], 0
    while start < len(word) <= LONGEST_WORD:
        prefix = "##" if start else ""
        end = next((end for end in range(len(word), start, -1) if prefix + word[start:end] in vocabulary), None)
        if end is None:
            break
        pieces.append(vocabulary[prefix + word[start:end]])
        start = end
    return pieces if start == len(word) else [vocabulary["[UNK]"]]


def _lower(text: str) -> str:
    """Return the text in lower case, character by character: Σ is σ at the end of a word too."""
    return text.replace("Σ", "σ").lower()


def _cleaned(character: str) -> str:
    """Return nothing for control characters, a space for white space, spaces around Chinese."""
    category = unicodedata.category(character)
    if character in "\t\n\r" or category == "Zs":
        return " "
    if category[0] == "C" or character == "\ufffd":
        return ""
    return f" {character} " if any(first <= character <= last for first, last in _CHINESE) else character


def _apart(character: str) -> str:
    """Return nothing for an accent, a character with spaces around it for punctuation and symbols."""
    category = unicodedata.category(character)
    if category == "Mn":
        return ""
    return f" {character} " if category[0] in "PS" or character in _SET_APART else character
