"""Captions to WordPiece ids."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Sequence

import numpy as np

from ..digest import hex_digest
from ..errors import InputError
from .vocabulary import SPECIAL_TOKENS, parse_vocabulary
from .wordpiece import wordpieces, words

KNOWN_WORDS = 1 << 16  # so many words have their ids remembered, more than any data set has


class CaptionTokenizer:
    """BERT's WordPiece tokenizer over a vocabulary file, with a fixed number of positions. Threads may share it.

    Args:
        vocab_file: a WordPiece ``vocab.txt`` with [PAD] first.
        length: positions of a caption, first and last token included.
        first_token, last_token: put around the words of every caption; "": none.

    Raises:
        InputError: the file is missing or is no such vocabulary, or lacks one of the two tokens.
    """

    def __init__(self, vocab_file: str | Path, length: int, first_token: str = "[CLS]", last_token: str = "[SEP]"):
        self.vocab_file, self.length = Path(vocab_file), length
        self.first_token, self.last_token = first_token, last_token
        try:
            self.vocabulary = self.vocab_file.read_bytes()
        except FileNotFoundError:
            raise InputError(
                f"{vocab_file}: no such vocabulary file; set data.vocab to a WordPiece vocab.txt"
            ) from None
        except OSError as error:
            raise InputError(f"{vocab_file}: cannot be read: {error.strerror or error}") from None
        self.pieces = pieces = parse_vocabulary(self.vocabulary, vocab_file)
        for key, token in (("first_token", first_token), ("last_token", last_token)):
            if token and token not in pieces:
                raise InputError(
                    f"data.{key}: {token!r} is not in {vocab_file}; name a token of that file, or none with ''"
                )
        self._first, self._last = ([pieces.index(token)] if token else [] for token in (first_token, last_token))
        self.vocab_size = len(pieces)
        self.fingerprint = hex_digest([self.vocabulary])
        self.room = length - len(self._first) - len(self._last)  # positions for the pieces of a caption's words
        self._ids = {piece: number for number, piece in enumerate(pieces)}
        self._ids_of = lru_cache(KNOWN_WORDS)(self._tokenize)

    @property
    def key(self) -> str:
        """Return what the ids depend on besides the captions, for the name of a file."""
        first, last = (ids[0] if ids else "" for ids in (self._first, self._last))
        return f"{self.fingerprint}-{self.length}-{first}-{last}"

    def __call__(self, captions: Sequence[str]) -> np.ndarray:
        """Return ids (n, length) int64: first token, the words that fit, last token, then [PAD] = 0."""
        ids = np.zeros((len(captions), self.length), "int64")
        for row, caption in zip(ids, captions):
            pieces = [*self._first, *self.word_ids(caption)[: self.room], *self._last]
            row[: len(pieces)] = pieces
        return ids

    def word_ids(self, caption: str) -> list[int]:
        """Return the ids of a caption's words, all of them, without first and last token."""
        return [number for word in caption.split(" ") for number in self._ids_of(word)]

    def is_cut(self, caption: str) -> bool:
        """Return whether a caption's words have more pieces than there is room for."""
        return len(self.word_ids(caption)) > self.room

    def unknown_words(self, caption: str) -> list[str]:
        """Return the words of a caption that the vocabulary lacks, each once: they are read as [UNK]."""
        unknown = [self._ids["[UNK]"]]
        return [word for word in dict.fromkeys(words(caption)) if wordpieces(word, self._ids) == unknown]

    def _tokenize(self, word: str) -> list[int]:
        """Return the ids of what stands between two spaces: BERT's tokenizer never looks across one."""
        return [number for part in words(word, kept=SPECIAL_TOKENS) for number in wordpieces(part, self._ids)]
