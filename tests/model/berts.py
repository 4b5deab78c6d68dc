"""Models that start from a small BERT, and what a test does with its files."""

import json

from inflate_shrink.config import ModelConfig
from inflate_shrink.model.encoder import DualEncoder
from inflate_shrink.model.pretrained import load_bert

SIZES = dict(hidden=32, layers=2, heads=4, ffn=48)
WORDS = 40
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"word{number}" for number in range(4, WORDS))]


def dual_encoder(vocab_size=WORDS, **changes):
    return DualEncoder(ModelConfig(**{**SIZES, "codes": 2, **changes}), vocab_size, region_dim=8)


def edit(file, **changes):
    config = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def loaded(source, **changes):
    model = dual_encoder(**changes)
    load_bert(model, str(source), PIECES)
    return {
        name: parameter.numpy()
        for name, parameter in model.state_dict().items()
        if not name.startswith(("region_embedding.", "codes."))
    }
