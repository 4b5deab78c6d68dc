"""VisualSparta's inverted index (Lu et al. 2021): a text query is a sum of precomputed posting lists.

    s(query, image) = sum over the query's pieces w of log(1 + ReLU(max over regions of w . r))

A word has no context, so each term is known before any query comes. :mod:`.build` makes them:

    offsets.npy, posting_images.npy, posting_scores.npy   see :mod:`.postings`
    images.tsv   header ``image_id  file``, one line an image; file "" where there is none
    vocab.txt    the WordPiece vocabulary
    meta.json    kind, shapes, how a query is cut into pieces, model and data that it was made of
    files.tsv    size and checksum of each of these

Searching needs NumPy and the tokenizer: no model, no checkpoint.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ...data.npy import open_npy
from ...data.text import CaptionTokenizer
from ...data.vocabulary import read_vocabulary
from ...errors import InputError
from ...json_values import parse_json
from ..encoder.files import MOST_POSITIONS
from ..ranking import Hit, best
from ..searchable import Searchable
from . import postings
from .files import check_files

FORMAT, KIND = 1, "inverted"
FILES = (*postings.FILES, "images.tsv", "vocab.txt", "meta.json")
IMAGES_HEADER = ("image_id", "file")


def is_inverted(directory: str | os.PathLike) -> bool:
    """Return whether this is an index of this kind, whole or not."""
    return (Path(directory) / "meta.json").exists()


class InvertedIndex(Searchable):
    """An opened index; the posting lists are memory-mapped. len() is its number of images. Threads may share it.

    Raises:
        InputError: a file is missing, cut short or malformed. A changed bit in a large file is found
            with ``verify``, which reads them all.
    """

    def __init__(self, directory: str | os.PathLike, verify: bool = False):
        self.directory = Path(directory)
        check_files(self.directory, FILES, verify)
        self.meta = _read_meta(self.directory / "meta.json")
        shapes = ((self.meta["pieces"] + 1,), (self.meta["postings"],), (self.meta["postings"],))
        dtypes = ("int64", "int32", self.meta["dtype"])
        arrays = (open_npy(self.directory / name, *kind) for name, *kind in zip(postings.FILES, shapes, dtypes))
        self.offsets, self._images, self._scores = arrays
        if (
            self.offsets[0] != 0
            or self.offsets[-1] != self.meta["postings"]
            or (self.offsets[1:] < self.offsets[:-1]).any()
        ):
            raise InputError(
                f"{self.directory / postings.FILES[0]}: does not ascend from 0 to {self.meta['postings']} postings; "
                "build the index again"
            )
        self._lines = _read_lines(self.directory / "images.tsv")
        found, expected = len(self._lines), self.meta["images"]
        if found != expected:
            raise InputError(
                f"{self.directory / 'images.tsv'}: holds {found} images, meta.json says {expected}; "
                "build the index again"
            )
        tokens = self.meta["tokenizer"]
        self._tokenizer = CaptionTokenizer(
            self.directory / "vocab.txt", tokens["text_length"], tokens["first_token"], tokens["last_token"]
        )
        if self._tokenizer.vocab_size > self.meta["pieces"]:
            raise InputError(
                f"{self.directory / 'vocab.txt'}: {self._tokenizer.vocab_size} pieces, "
                f"meta.json says {self.meta['pieces']}; build the index again"
            )
        self._unknown = read_vocabulary(self.directory / "vocab.txt").index("[UNK]")

    def __len__(self) -> int:
        return self.meta["images"]

    @property
    def tokenizer(self) -> CaptionTokenizer:
        """Return what cuts a text into pieces as the model does."""
        return self._tokenizer

    def search(self, query: str, k: int = 10, mode: str = "exact", **others) -> list[Hit]:
        """Return the ``k`` best images, or all if there are fewer; of equal scores the first image of the index first.

        Raises:
            InputError: ``k`` is below 1, the query is empty or holds no word that the index knows, the mode is not
                exact, or there are other options, which such an index does not have.
        """
        if mode not in ("", "exact") or others:
            raise self._text_only()
        if k < 1:
            raise InputError(f"k must be 1 or more, found {k}")
        scores = self.scores(self.pieces(query))
        return [Hit(rank, float(scores[row]), *self._image(row)) for rank, row in enumerate(best(scores, k), 1)]

    def search_image(self, regions: np.ndarray, k: int = 10, **options) -> list[Hit]:
        """Raise InputError: images are found, not searched with."""
        raise self._text_only()

    def describe_photo(self, file: str | os.PathLike, backbone: str = "", detector: str = "") -> np.ndarray:
        """Raise InputError: images are found, not searched with."""
        raise self._text_only()

    def search_like(self, item: str, k: int = 10, **options) -> list[Hit]:
        """Raise InputError: the lists hold words, not images."""
        raise self._text_only()

    def pieces(self, query: str) -> np.ndarray:
        """Return the vocabulary pieces (n,) of a query, as the model counts them.

        Raises InputError if no image scores with any of them.
        """
        if not query.strip():
            raise InputError("the query is empty; give it words")
        pieces = counted_pieces(self.tokenizer([query])[0])
        if not any(piece != self._unknown and self.offsets[piece] < self.offsets[piece + 1] for piece in pieces):
            raise InputError(
                f"{self.directory}: no image scores above 0 with a word of the query {query!r}; use other words, "
                "of its vocab.txt"
            )
        return pieces

    def scores(self, pieces: np.ndarray) -> np.ndarray:
        """Return the scores (I,) float32 of every image; a piece that occurs twice counts twice."""
        scores = np.zeros(len(self), np.float32)
        try:
            for piece, times in zip(*np.unique(pieces, return_counts=True)):
                part = slice(self.offsets[piece], self.offsets[piece + 1])
                if self._images[part].min(initial=0) < 0:
                    raise IndexError
                scores[self._images[part]] += np.multiply(self._scores[part], times, dtype=np.float32)
        except IndexError:
            raise InputError(
                f"{self.directory}: a posting names no image of the index; "
                "tools/index.py info --verify names the damaged file"
            ) from None
        return scores

    def describe(self) -> str:
        """Return what the index holds and what it was made of, in four lines."""
        meta, lists = self.meta, int((np.diff(self.offsets) > 0).sum())
        size = sum((self.directory / name).stat().st_size for name in FILES) / 2**20
        kept = f"the best {meta['top']} of an image" if meta["top"] else "all above 0"
        model, data, text = meta["model"], meta["data"], meta["tokenizer"]
        return (
            f"{self.directory}: inverted index of {len(self)} images, {size:.1f} MiB\n"
            f"postings: {meta['postings']} ({meta['dtype']}, {kept}), {meta['postings'] / len(self):.1f} an image;"
            f" {lists} of {meta['pieces']} pieces have any\n"
            f"model: {model['name'] or 'unnamed'}, weights {model['fingerprint']}, {model['checkpoint']}\n"
            f"data: {data['directory']}, {'split ' + data['split'] if data['split'] else 'all images'}, "
            f"{data['fingerprint']}; queries of up to {text['text_length']} positions"
        )

    def _text_only(self) -> InputError:
        return InputError(f"{self.directory}: an inverted index, which takes a text and -k only")

    def _image(self, row: int) -> tuple[str, str]:
        image_id, _, file = self._lines[row].partition("\t")
        return image_id, str(Path(self.meta["data"]["image_root"], file)) if file else ""


def counted_pieces(ids: np.ndarray) -> np.ndarray:
    """Return those of one text's ids (n,) that the model's score counts: neither padding nor the first and the last
    token.
    """
    return ids[1:-1][ids[2:] != 0]


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode("utf-8").split("\n")[1:-1]
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason}); build the index again") from None


def _read_meta(path: Path) -> dict:
    kept = parse_json(path.read_bytes(), path, "build the index again")
    kind = kept.value.get("format"), kept.value.get("kind")
    if kind != (FORMAT, KIND):
        raise InputError(
            f"{path}: format and kind are {kind}, this version searches {(FORMAT, KIND)}; build the index again"
        )
    for name in ("images", "pieces", "postings"):
        kept.whole(name, 1)
    kept.whole("top")
    kept.text("dtype", ("float32", "float16"))
    tokens, model, data = kept.mapping("tokenizer"), kept.mapping("model"), kept.mapping("data")
    tokens.whole("text_length", 1, MOST_POSITIONS)
    texts = (
        (tokens, ("first_token", "last_token")),
        (model, ("name", "fingerprint", "checkpoint")),
        (data, ("directory", "split", "fingerprint", "image_root")),
    )
    for part, names in texts:
        for name in names:
            part.text(name)
    return kept.value
