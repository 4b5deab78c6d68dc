"""The authors' tokenised captions: ``{split}_caps.txt.bt``, otherwise laid out as SCAN's files (:mod:`.scan`).

A line holds the WordPiece ids of one caption, separated by spaces::

    100 1037 2158 2007 1037 2417 6045 1012

The ids are bert-base-uncased's. In a released file every line starts with 100, which is [UNK], where BERT's
own tokenizer puts [CLS] (101), and none ends with [SEP] (102). These ids become text again, to be tokenised as
captions from elsewhere are: words are lower-cased and stand apart from the punctuation, as WordPiece left them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator

from ...errors import InputError
from ..bad_records import BadRecords
from ..vocabulary import read_vocabulary
from .files import shown
from .options import CaptionOptions
from .records import Caption
from .scan import read_fives

_ID = re.compile(r"[0-9]{1,9}")
_SEPARATORS = str.maketrans("[],", "   ")


def read(path: Path, bad: BadRecords, options: CaptionOptions) -> Iterator[Caption]:
    """Yield the captions of a directory's files, or of one; what is no id of the vocabulary is a bad record.

    Raises:
        InputError: no ``options.vocab``, no such file, or a number of lines that is no multiple of five.
    """
    if not options.vocab:
        raise InputError(f"{path}: holds WordPiece ids; say which vocabulary they belong to (bert-base-uncased's vocab.txt for the authors' files)")
    words = read_vocabulary(options.vocab)
    for caption in read_fives(path, "_caps.txt.bt"):
        ids = caption.text.translate(_SEPARATORS).split()
        wrong = next((text for text in ids if not _ID.fullmatch(text) or int(text) >= len(words)), None)
        if wrong is None:
            yield caption._replace(text=_text([words[int(text)] for text in ids]))
        else:
            bad.report(f"{caption.where}: {shown(wrong)} is no id of {options.vocab}, expected 0 to {len(words) - 1}")


def _text(pieces: list[str]) -> str:
    """Words of WordPieces, without a leading [UNK] or [CLS], and without [SEP] and [PAD] at the end."""
    while pieces and pieces[-1] in ("[PAD]", "[SEP]"):
        pieces.pop()
    if pieces and pieces[0] in ("[UNK]", "[CLS]"):
        pieces = pieces[1:]
    return re.sub(r"(^| )##(?=\S)", "", " ".join(pieces))
