"""Captions to WordPiece ids, with paddlenlp's BertTokenizer."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Sequence

import numpy as np

from ..errors import InputError

_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


class CaptionTokenizer:
    """BERT's WordPiece tokenizer over a vocabulary file, with a fixed number of positions.

    Raises InputError if the file is missing or is no WordPiece vocabulary with [PAD] first.
    """

    def __init__(self, vocab_file: str | Path, length: int):
        self.vocab_file, self.length = Path(vocab_file), length
        try:
            self.vocabulary = self.vocab_file.read_bytes()
            words = self.vocabulary.decode("utf-8").splitlines()
        except FileNotFoundError:
            raise InputError(f"{vocab_file}: no such vocabulary file; set data.vocab to a WordPiece vocab.txt") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{vocab_file}: not a UTF-8 vocabulary file: {error}") from None
        missing = [word for word in _SPECIAL if word not in words]
        if missing or words[0] != "[PAD]":
            raise InputError(f"{vocab_file}: expected one WordPiece a line, [PAD] first; missing: {', '.join(missing) or '[PAD] on line 1'}")
        self.vocab_size = len(words)
        self.fingerprint = hashlib.sha256(self.vocabulary).hexdigest()[:16]
        self._tokenizer = None

    def __call__(self, captions: Sequence[str]) -> np.ndarray:
        """Ids (n, length) int64: [CLS], words, [SEP], then [PAD] = 0. Longer captions are cut before [SEP]."""
        if self._tokenizer is None:
            from paddlenlp.transformers import BertTokenizer  # takes seconds: only once there is something to tokenise

            self._tokenizer = BertTokenizer(str(self.vocab_file))
        ids = np.zeros((len(captions), self.length), "int64")
        for row, caption in zip(ids, captions):
            pieces = self._tokenizer(caption, max_length=self.length, truncation=True)["input_ids"]
            row[: len(pieces)] = pieces
        return ids


def words(caption: str) -> list[str]:
    """BERT's words before they are cut into WordPieces: lower case, no accents, punctuation and Chinese characters apart."""
    from paddlenlp.transformers import BasicTokenizer

    return BasicTokenizer(do_lower_case=True).tokenize(caption)
