"""Write an inverted index (see :mod:`.index`) of scores that come in blocks of images."""

from __future__ import annotations

import json
import os
from typing import Iterable, Sequence

import numpy as np

from ...atomic import atomic_path, require_new
from ...data.tsv import format_row
from ...errors import InputError
from .files import write_file_list
from .index import FILES, FORMAT, IMAGES_HEADER, KIND
from .postings import PostingsWriter


def write_inverted_index(
    directory: str | os.PathLike,
    blocks: Iterable[np.ndarray],
    images: Sequence[tuple[str, str]],
    vocabulary: bytes,
    origin: dict,
    top: int = 0,
    dtype: str = "float32",
) -> None:
    """Write the index; the directory appears whole, or not at all.

    Args:
        directory: must not exist yet.
        blocks: scores (b, V) float32 of every vocabulary piece with the next b images.
        images: id of each image, and its file relative to ``origin["data"]["image_root"]``, or "".
        vocabulary: contents of vocab.txt.
        origin: the other keys of ``meta.json``: tokenizer, model, data.
        top: keep only so many of the best pieces of an image; 0: all that score above 0.
        dtype: of the scores on disk, float32 or float16.

    Raises:
        InputError: the directory exists, a score is not finite, none is above 0, or the disk is full.
    """
    require_new(directory)
    with atomic_path(directory) as temporary:
        temporary.mkdir()
        writer = PostingsWriter(temporary, top, dtype)
        for scores in blocks:
            if not np.isfinite(scores).all():
                raise InputError("the model's scores are not finite: its training diverged; lower optim.lr")
            writer.add(scores)
        postings = writer.finish()
        shape = dict(images=len(images), pieces=writer.pieces, postings=postings, dtype=dtype, top=top)
        meta = json.dumps(dict(format=FORMAT, kind=KIND, **shape, **origin), indent=1, ensure_ascii=False)
        (temporary / "meta.json").write_text(meta + "\n", encoding="utf-8")
        (temporary / "vocab.txt").write_bytes(vocabulary)
        (temporary / "images.tsv").write_bytes("".join(map(format_row, [IMAGES_HEADER, *images])).encode("utf-8"))
        write_file_list(temporary, FILES)
