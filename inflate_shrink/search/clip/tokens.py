"""Texts to the numbers that a CLIP's network of texts reads, by ``tokenizer.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np

from ...errors import InputError, in_one_line
from .folder import AGAIN, CONFIG, TOKENIZER, TOKENIZER_CONFIG, number_of, read_json

_MOST = 8192  # positions of a text; larger numbers in a file mean that there is no limit
_LENGTHS = {"clip": 77, "siglip": 64, "siglip2": 64}  # where no file says
_LONGEST = 512  # of other kinds
_FILLED = ("siglip", "siglip2")  # read texts at their whole length alone, as they were trained


class ClipTokenizer:
    """Callable: texts to ids and mask, both (n, l) int64. Threads may share it.

    Args:
        directory: of the CLIP.

    Attributes:
        length: the most positions of a text, special ones included.
        filled: whether the network reads texts of this length alone, padded.

    Raises:
        InputError: a file is missing or damaged.
    """

    def __init__(self, directory: Path):
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise InputError("tokenizers is not installed; pip install tokenizers") from None

        config, settings = read_json(directory, CONFIG), read_json(directory, TOKENIZER_CONFIG)
        kind = config.value.get("model_type")
        file, path = read_json(directory, TOKENIZER), directory / TOKENIZER
        self.length = (
            number_of(settings, "model_max_length", most=_MOST)
            or number_of(config, "text_config", "max_position_embeddings", most=_MOST)
            or (_LENGTHS.get(kind, _LONGEST) if isinstance(kind, str) else _LONGEST)
        )
        self.filled = kind in _FILLED
        self._lower = settings.value.get("do_lower_case") is True
        model = file.value.get("model")
        self._unknown = model.get("unk_token") if isinstance(model, dict) else None
        try:
            self._tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(self.length)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # its library panics, which is no Exception
            raise InputError(f"{path}: not read by tokenizers ({in_one_line(error)}); {AGAIN}") from None
        padding = settings.value.get("pad_token")
        padding = padding.get("content") if isinstance(padding, dict) else padding
        self._padding = (self._tokenizer.token_to_id(padding) if isinstance(padding, str) else None) or 0

    def __call__(self, texts: Sequence[str], length: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return ids, and 1 where they are of the text, padded to ``length`` or the longest.

        Raises InputError if a text is empty.
        """
        if not all(map(str.strip, texts)):
            raise InputError("the query is empty; give it words")
        encodings = [self._encoded(text) for text in texts]
        length = length or (self.length if self.filled else max(len(each.ids) for each in encodings))
        ids, mask = np.full((len(texts), length), self._padding, np.int64), np.zeros((len(texts), length), np.int64)
        for row, encoding in enumerate(encodings):
            count = min(len(encoding.ids), length)
            ids[row, :count], mask[row, :count] = encoding.ids[:count], 1
        return ids, mask

    def is_cut(self, text: str) -> bool:
        """Return whether a text has more tokens than there is room for."""
        return bool(self._encoded(text).overflowing)

    def unknown_words(self, text: str) -> list[str]:
        """Return the parts of a text that the vocabulary lacks, each once; pieces of bytes lack none."""
        encoding = self._encoded(text)
        pairs = zip(encoding.tokens, encoding.offsets)
        return list(dict.fromkeys(text[begin:end] for token, (begin, end) in pairs if token == self._unknown))

    def _encoded(self, text: str):
        return self._tokenizer.encode(text.lower() if self._lower else text)
