"""WordPiece vocabularies: read one, or make one of captions in any alphabet."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Callable, Iterable, Sequence

from ..errors import InputError

PAD_ID = 0  # [PAD] is the first of every vocabulary
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def build_vocabulary(
    captions: Iterable[str], words: Callable[[str], list[str]], least: int = 2, size: int = 30000
) -> list[str]:
    """Return the tokens of a new ``vocab.txt``, by id.

    The special tokens, [PAD] first; every character of the captions' words, first as the start of a word, then
    as its continuation ``##c``; then whole words, the most frequent first, equally frequent ones in the order of
    their characters. So no word of these captions is unknown to WordPiece, which gives up on words of more than
    100 characters only.

    Args:
        captions: the training captions.
        words: a caption's words as WordPiece gets them: :func:`.wordpiece.words`.
        least: how often a word must occur to get a token of its own.
        size: words stop at so many tokens; the characters are kept even beyond.

    Raises:
        InputError: the captions hold no words.
    """
    counts = Counter(word for caption in captions for word in words(caption))
    characters = sorted({character for word in counts for character in word if not character.isspace()})
    if not characters:
        raise InputError("the captions hold no words to make a vocabulary of")
    tokens = dict.fromkeys([*SPECIAL_TOKENS, *characters, *(f"##{character}" for character in characters)])
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if count < least or len(tokens) >= size:
            break
        tokens[word] = None
    return list(tokens)


def cut_vocabulary(
    vocabulary: Sequence[str], captions: Iterable[str], pieces_of: Callable[[str], set[str]]
) -> list[str]:
    """Return the pieces of a ``vocab.txt`` that captions can use, in their order.

    These are the special tokens, the pieces of ``captions`` (``pieces_of`` splits one), and every single character
    and its continuation: words that are spelled with them stay known.
    """
    used = set(SPECIAL_TOKENS).union(*map(pieces_of, captions))
    return [piece for piece in vocabulary if piece in used or len(piece.removeprefix("##")) == 1]


def read_vocabulary(path: str | Path) -> list[str]:
    """Read the tokens of a ``vocab.txt``, by id; raise InputError if there is none or it is no WordPiece vocabulary."""
    try:
        return parse_vocabulary(Path(path).read_bytes(), path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such vocabulary file, expected a WordPiece vocab.txt") from None
    except OSError as error:
        raise InputError(f"{path}: not a UTF-8 vocabulary file: {error}") from None


def parse_vocabulary(content: bytes, path: str | Path) -> list[str]:
    """Parse the bytes of a ``vocab.txt`` to tokens by id; raise InputError that names ``path`` if they are none."""
    try:
        # BERT's tokenizer reads it so: a token may be another line separator.
        tokens = content.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a UTF-8 vocabulary file: {error}") from None
    if tokens[-1] == "":
        tokens.pop()
    missing = [token for token in SPECIAL_TOKENS[:4] if token not in tokens]
    if missing or tokens[0] != "[PAD]":
        raise InputError(
            f"{path}: expected one WordPiece a line, [PAD] first; missing: {', '.join(missing) or '[PAD] on line 1'}"
        )
    return tokens
