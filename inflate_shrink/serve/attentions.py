"""The attention of words, regions and codes, by the checkpoint that an index was built with."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..search.encoders import CLIP
from .collection import Collection, OpenIndex
from .refusal import Refusal

if TYPE_CHECKING:
    from ..engine.checkpoint import Checkpoint
    from ..model.encoder import DualEncoder

_SCALE = 1000


def has_checkpoint(index: OpenIndex) -> bool:
    """Return whether the checkpoint that an index names is still there; an index of a CLIP has none."""
    checkpoint = index.model.get("checkpoint")
    return isinstance(checkpoint, str) and CLIP not in index.searcher.index.origin and Path(checkpoint).is_dir()


def prepare(collection: Collection) -> None:
    """Import Paddle now, if attention may be asked for: in a thread it could not leave SIGTERM to this process."""
    if any(map(has_checkpoint, collection.indexes)):
        import paddle  # noqa: F401


class Attentions:
    """Opens checkpoints at their first use. Threads may share it, and take turns."""

    def __init__(self):
        self._lock, self._models = threading.Lock(), {}

    def attention(self, index: OpenIndex, item: str, query: str, side: str) -> dict:
        """Return the values of :class:`.messages.AttentionTold`: over a query's words, or over an image's regions.

        Raises:
            Refusal: the checkpoint is not there any more or another, or there is no such image.
        """
        from ..visualize.attention import attention
        from ..visualize.labels import image_labels, text_labels

        with self._lock:
            checkpoint, model = self._open(index)
            shape = checkpoint.config.model
            if side == "text":
                if not query.strip():
                    raise Refusal(422, "query: it is empty; give it words")
                tokenizer = checkpoint.tokenizer()
                ids = tokenizer([query])
                found = attention(model, model.encode_text, (ids,), text_labels(ids[0], tokenizer, shape.codes))
            else:
                regions, counts = self._regions(index, item, checkpoint)
                labels = image_labels(counts[0], regions.shape[1], shape.codes)
                found = attention(model, model.encode_image, (regions, counts), labels)
        layers, heads = found.weights.shape[:2]
        weights = (found.weights * _SCALE).round().astype(int).reshape(layers, heads, -1).tolist()
        return {"labels": found.labels, "layers": layers, "heads": heads, "weights": weights}

    def _open(self, index: OpenIndex) -> tuple[Checkpoint, DualEncoder]:
        if index.directory not in self._models:
            from ..engine.checkpoint import open_checkpoint

            if not has_checkpoint(index):
                raise Refusal(
                    404, f"the checkpoint of {index.name}, which attention is asked of, is not there any more"
                )
            try:
                checkpoint = open_checkpoint(index.model["checkpoint"])
                if checkpoint.fingerprint()[:16] != index.model.get("fingerprint"):
                    raise InputError("it has other weights now")
                self._models[index.directory] = checkpoint, checkpoint.load_model()
            except InputError as error:
                raise Refusal(404, f"the checkpoint of {index.name} cannot be asked for attention: {error}") from None
        return self._models[index.directory]

    def _regions(self, index: OpenIndex, item: str, checkpoint: Checkpoint) -> tuple[np.ndarray, np.ndarray]:
        found = index.row_of(item) if index.file_of(item) is not None else None
        if found is None or found[0].store.regions.shape[-1] != checkpoint.state["region_dim"]:
            raise Refusal(404, f"the regions of {item!r} are not there any more; start the service with --data")
        return found[0].store.read_regions([found[1]])
