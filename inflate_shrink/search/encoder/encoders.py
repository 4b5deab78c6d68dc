"""Run an exported encoder: texts, or images, to the fragments that count. Imports neither the model nor paddlenlp."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Sequence

import numpy as np

from ...data.text import CaptionTokenizer
from ...errors import InputError
from .files import VOCABULARY, read_meta
from .graph import open_graph

BATCH = 64


class _Encoder:
    side = ""

    def __init__(self, directory: str | os.PathLike, threads: int = 0, backend: str = "", verify: bool = False):
        self.directory = Path(directory)
        self.meta = read_meta(self.directory, verify)
        if self.meta["side"] != self.side:
            raise InputError(
                f"{directory}: an encoder of {self.meta['side']}s, expected one of {self.side}s: "
                f"tools/export.py --side {self.side}"
            )
        self.dim, self.fingerprint = self.meta["dim"], self.meta["model"]["fingerprint"]
        self._run = open_graph(self.directory, self.meta, backend, threads)

    def require_weights(self, fingerprint: str) -> None:
        """Raise InputError if the encoder is of other weights than those of an index."""
        if self.fingerprint != fingerprint:
            raise InputError(
                f"{self.directory}: of weights {self.fingerprint}, the index is of {fingerprint};"
                " export it of the index's checkpoint"
            )

    def _fragments(self, *arrays: np.ndarray) -> Iterator[np.ndarray]:
        vectors, mask = self._run(*arrays)
        return (rows[counts > 0] for rows, counts in zip(vectors, mask))


class QueryEncoder(_Encoder):
    """Texts to fragments, as the checkpoint's own text encoder gives them. Threads may share it.

    Positions that are padding in every text of a batch are left out where no fragment of them is kept: a short
    query then costs as many positions as it has.

    Args:
        directory: of tools/export.py, or :func:`.export.export_encoder`.
        threads: cores to use; 0: all that this process may use.
        backend: ``paddle``, or ``onnx``, which starts without importing Paddle; "": onnx where there is an ONNX file.
        verify: compare the checksums of the large files too.

    Attributes:
        dim: D. fingerprint: of the checkpoint's weights. meta: ``encoder.json``, see :mod:`.files`.

    Raises:
        InputError: the directory is no whole encoder of texts, or the backend cannot open it.
    """

    side = "text"

    def __init__(self, directory: str | os.PathLike, threads: int = 0, backend: str = "", verify: bool = False):
        super().__init__(directory, threads, backend, verify)
        cut = self.meta["tokenizer"]
        self.tokenizer = CaptionTokenizer(
            self.directory / VOCABULARY, cut["text_length"], cut["first_token"], cut["last_token"]
        )

    def __call__(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the fragments (l, D) float32 of each text, those that count.

        Raises InputError if a text holds no words.
        """
        if not all(map(self.tokenizer.word_ids, texts)):
            raise InputError("the query is empty; give it words")
        ids = self.tokenizer(texts)
        return [
            rows
            for start in range(0, len(ids), BATCH)
            for rows in self._fragments(self._trimmed(ids[start : start + BATCH]))
        ]

    def _trimmed(self, ids: np.ndarray) -> np.ndarray:
        filled = np.flatnonzero(ids.any(axis=0)).max(initial=0) + 1
        return ids[:, : max(filled, self.meta["positions"])]


class ImageEncoder(_Encoder):
    """Regions of images to fragments, as the checkpoint's own image encoder gives them. Threads may share it.

    Args, attributes and errors: as of :class:`QueryEncoder`, for an encoder of images.
    """

    side = "image"

    def __call__(self, regions: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
        """Return the fragments (l, D) float32 of each image, those that count, given regions (n, m, region_dim) and how
        many are valid, (n,).
        """
        if regions.ndim != 3 or regions.shape[2] != self.meta["region_dim"] or counts.shape != regions.shape[:1]:
            expected = f"(n, m, {self.meta['region_dim']}) and (n,)"
            raise InputError(
                f"{self.directory}: regions and counts of shapes {regions.shape} and {counts.shape}, "
                f"expected {expected}"
            )
        regions, counts = regions.astype(np.float32, copy=False), counts.astype(np.int64, copy=False)
        parts = (slice(start, start + BATCH) for start in range(0, len(regions), BATCH))
        return [rows for part in parts for rows in self._fragments(regions[part], counts[part])]
