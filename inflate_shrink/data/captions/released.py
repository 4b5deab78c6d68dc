"""The authors' tokenised captions: ``{split}_caps.txt.bt``, otherwise laid out as SCAN's files (:mod:`.scan`).

A line holds the WordPiece ids of one caption, separated by spaces::

    100 1037 2158 2007 1037 2417 6045 1012

The ids are bert-base-uncased's. In a released file every line starts with 100, which is [UNK], where BERT's
own tokenizer puts [CLS] (101), and none ends with [SEP] (102). These ids become text again, to be tokenised as
captions from elsewhere are: words are lower-cased and stand apart from the punctuation, as WordPiece left them.
The first and the last token are left out: the model's ``data.first_token`` and ``data.last_token`` put them back.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, NamedTuple

from ...errors import InputError
from ...terminal import say
from ..bad_records import BadRecords
from ..text import CaptionTokenizer
from ..vocabulary import read_vocabulary
from .files import shown
from .records import Caption, CaptionOptions
from .scan import read_fives

_ID = re.compile(r"[0-9]{1,9}")
_SEPARATORS = str.maketrans("[],", "   ")


class _Ends(NamedTuple):
    """The tokens around a caption's words, "" for none."""

    first: str
    last: str

    def __str__(self) -> str:
        return f"first token {self.first or 'none'}, last token {self.last or 'none'}"


def read(path: Path, bad: BadRecords, options: CaptionOptions) -> Iterator[Caption]:
    """Yield the captions of a directory's files, or of one, and print which tokens stood around them.

    What is no id of the vocabulary and a line that begins or ends otherwise than the first one are bad records.
    Captions whose text BERT cuts into other ids than the file's are kept, and their number is printed.

    Raises:
        InputError: no ``options.vocab``, no such file, or a number of lines that is no multiple of five.
    """
    if not options.vocab:
        raise InputError(
            f"{path}: holds WordPiece ids; say which vocabulary they belong to (bert-base-uncased's vocab.txt for the "
            "authors' files)"
        )
    words = read_vocabulary(options.vocab)
    tokenizer = CaptionTokenizer(options.vocab, length=32)
    ends, captions, changed = None, 0, []
    for caption in read_fives(path, "_caps.txt.bt"):
        ids = caption.text.translate(_SEPARATORS).split()
        wrong = next((text for text in ids if not _ID.fullmatch(text) or int(text) >= len(words)), None)
        if wrong is not None:
            bad.report(f"{caption.where}: {shown(wrong)} is no id of {options.vocab}, expected 0 to {len(words) - 1}")
            continue
        inner, found = _without_ends([int(text) for text in ids], words, ends)
        ends = ends or found
        if inner and found != ends:
            bad.report(f"{caption.where}: {found}, but the captions before have {ends}; all must be alike")
            continue
        text = re.sub(r"(^| )##(?=\S)", "", " ".join(words[number] for number in inner))
        captions += 1
        if tokenizer.word_ids(text) != inner:
            changed.append(caption.where)
        yield caption._replace(text=text)
    if changed:
        say(
            f"{path}: {len(changed)} of {captions} captions are cut into other ids than the file's, "
            f"the first at {changed[0]}; they are kept"
        )
    if ends:
        say(f"{path}: {ends}; tools/convert_released.py must be given the same")


def _without_ends(ids: list[int], words: list[str], expected: _Ends | None) -> tuple[list[int], _Ends]:
    """Return the ids between [UNK] or [CLS] and [SEP], without padding.

    [UNK] begins a caption as a word where no first token is expected.
    """
    pieces = [words[number] for number in ids]
    end = len(pieces)
    while end and pieces[end - 1] == "[PAD]":
        end -= 1
    last = pieces[end - 1] if end and pieces[end - 1] == "[SEP]" else ""
    starts = ("[UNK]", "[CLS]") if expected is None or expected.first else ()
    first = pieces[0] if end and pieces[0] in starts else ""
    return ids[bool(first) : end - bool(last)], _Ends(first, last)
