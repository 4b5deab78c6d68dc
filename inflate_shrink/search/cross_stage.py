"""The last stage of a cascade: a cross-BERT orders the best hits anew (Sec. 5.5).

tools/rerank.py does the same for a whole split.
"""

from __future__ import annotations

import os

import numpy as np

from ..engine.checkpoint import Checkpoint
from ..engine.cross import embed_images, embed_texts, match_pairs
from ..errors import InputError
from .ranking import Hit


class CrossStage:
    """Scores hits of one query with a cross-BERT, or the cross part of a joint model. Not for threads to share.

    Args:
        data_dir: the data set with the regions of the images; an index holds only their fragments.

    Raises:
        InputError: the checkpoint is a bi-encoder, or the data do not fit it.
    """

    def __init__(self, checkpoint: Checkpoint, data_dir: str | os.PathLike):
        self._model = checkpoint.load_model()
        if self._model.match_head is None:
            raise InputError(
                f"{checkpoint.directory}: a bi-encoder; the last stage takes a cross-BERT (model.scoring: "
                "cross) or a joint model"
            )
        self._tokenizer, self._store = checkpoint.tokenizer(), checkpoint.open_data(data_dir)
        self._rows = {image: row for row, image in enumerate(self._store.image_ids)}

    def __call__(self, query: str, hits: list[Hit]) -> list[Hit]:
        """Return the hits in the order of their cross-BERT scores, which they then have.

        Raises InputError if the data lack an image.
        """
        if not hits:
            return hits
        unknown = [hit.id for hit in hits if hit.id not in self._rows]
        if unknown:
            raise InputError(
                f"{self._store.directory}: has no image {unknown[0]}, which the index found; "
                "give --data with the data set that was indexed"
            )
        rows = np.array([self._rows[hit.id] for hit in hits])
        text, images = embed_texts(self._model, self._tokenizer([query])), embed_images(self._model, self._store, rows)
        scores = match_pairs(self._model, text, images, np.zeros(len(hits), np.int64), np.arange(len(hits)))
        order = np.argsort(-scores, kind="stable")
        return [hits[i]._replace(rank=rank, score=float(scores[i])) for rank, i in enumerate(order, 1)]
