"""One vector an item in 8 or 4 bits, stored so that 16 items are multiplied side by side: the first stage of a cascade."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .stored import array_of

ITEMS = 16  # of a block
LANE_BITS = (8, 4)
_WORD = 4  # bytes of a word of an item
_TINY = np.float32(1e-30)


@dataclass(frozen=True, eq=False)
class LaneVectors:
    """The vectors of N items, in blocks of 16; len() is N.

    words: (ceil(N / 16), w, 16, 4) uint8, :func:`lane_words` of each item: word k of all items of a block lies side by
    side. A byte is a number + 128, or with 4 bits two numbers + 8: of a word's eight numbers the first four are in the
    low halves. scales: (ceil(N / 16), 16) float32, by which an item's numbers are to be multiplied.
    """

    words: np.ndarray
    scales: np.ndarray
    count: int
    dim: int
    bits: int

    def __len__(self) -> int:
        return self.count


def lane_words(dim: int, bits: int) -> int:
    """Return w, the 32-bit words of a vector of ``dim`` numbers; raises InputError if it is not stored so."""
    if bits not in LANE_BITS:
        raise InputError(f"numbers of a first stage have {' or '.join(map(str, LANE_BITS))} bits, found {bits}")
    if not isinstance(dim, (int, np.integer)) or not 1 <= dim <= 1 << 16:
        raise InputError(f"vectors of a first stage have 1 to {1 << 16} dimensions, found {dim}")
    return -(-int(dim) * bits // (8 * _WORD))


def encode_lanes(vectors: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Round finite vectors (N, d) float32; return the bytes (N, 4w) uint8 and the scales (N,) float32 of each, not yet
    side by side.

    Raises InputError as :func:`lane_words`.
    """
    vectors = array_of("vectors", vectors, np.float32, None, None)
    width = lane_words(vectors.shape[1], bits) * _WORD * 8 // bits
    most = (1 << bits - 1) - 1
    largest = np.abs(vectors).max(1, initial=0)
    largest[largest < _TINY] = 0
    inverse = np.divide(np.float32(most), largest, out=np.zeros_like(largest), where=largest > 0)
    numbers = np.zeros((len(vectors), width), np.float32)
    numbers[:, : vectors.shape[1]] = np.rint(vectors * inverse[:, None])
    numbers = (numbers + most + 1).astype(np.uint8)
    if bits == 4:
        halves = numbers.reshape(len(vectors), -1, 2, _WORD)
        numbers = (halves[:, :, 0] | halves[:, :, 1] << 4).reshape(len(vectors), -1)
    return numbers, largest / np.float32(most)


def interleave(rows: np.ndarray) -> np.ndarray:
    """Return rows (N, 4w) of bytes side by side, (ceil(N / 16), w, 16, 4); where N ends within a block, zeros follow."""
    padded = np.zeros((-(-len(rows) // ITEMS) * ITEMS, rows.shape[1]), np.uint8)
    padded[: len(rows)] = rows
    return np.ascontiguousarray(padded.reshape(-1, ITEMS, rows.shape[1] // _WORD, _WORD).swapaxes(1, 2))


def rows_of_lanes(words: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the bytes (n, 4w) of some items, as :func:`encode_lanes` made them."""
    return words[chosen // ITEMS, :, chosen % ITEMS].reshape(len(chosen), words.shape[1] * _WORD)


def decode_lanes(stored: LaneVectors, chosen: np.ndarray) -> np.ndarray:
    """Return the vectors (n, d) float32 of some items, with the error of their rounding."""
    rows = rows_of_lanes(stored.words, chosen)
    if stored.bits == 4:
        words = rows.reshape(len(rows), stored.words.shape[1], 1, _WORD)
        rows = np.concatenate([words & 15, words >> 4], axis=2).reshape(len(rows), 2 * rows.shape[1])
    numbers = rows[:, : stored.dim].astype(np.float32) - (1 << stored.bits - 1)
    return numbers * stored.scales.reshape(-1)[chosen][:, None]
