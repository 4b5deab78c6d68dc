"""An index of made-up scores: no model, no checkpoint."""

import numpy as np
import pytest

from inflate_shrink.search.inverted.index import InvertedIndex
from inflate_shrink.search.inverted.writer import write_inverted_index

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "ball", "box", "never"]
#         red  ball box never
SCORES = [[0.5, 1.0, 0.0, 0],
          [2.0, 0.0, 0.0, 0],
          [0.5, 0.25, 1.0, 0]]  # fmt: skip
ORIGIN = {
    "tokenizer": {"text_length": 8, "first_token": "[CLS]", "last_token": "[SEP]"},
    "model": {"name": "made up", "checkpoint": "runs/none", "fingerprint": "0"},
    "data": {"directory": "data/none", "split": "", "fingerprint": "1", "image_root": "/photos"},
}


@pytest.fixture
def make_index(tmp_path):
    """A function: scores (I, 4) of the words red, ball, box and never, or (I, 8) of all tokens -> an opened index of images a, b, c, ..."""

    def make(scores=SCORES, **options):
        blocks = [np.pad(np.array([row], np.float32), ((0, 0), (8 - len(row), 0))) for row in scores]
        images = [(chr(ord("a") + i), f"{i}.jpg" if i else "") for i in range(len(blocks))]
        write_inverted_index(tmp_path / "index", blocks, images, "\n".join([*TOKENS, ""]).encode(), ORIGIN, **options)
        return InvertedIndex(tmp_path / "index")

    return make
