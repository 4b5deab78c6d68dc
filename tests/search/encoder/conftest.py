"""Small checkpoints with random weights, and their exported encoders."""

import paddle
import pytest

from inflate_shrink.config import Config, DataConfig, ModelConfig
from inflate_shrink.engine.checkpoint import new_model, open_checkpoint, write_checkpoint

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "##s", "in", "the", "snow", "."]
REGION_DIM = 5


@pytest.fixture(scope="session")
def untrained(tmp_path_factory):
    """A function: keys of the model -> a checkpoint of 6 positions; ``fill`` is what all its word vectors hold."""

    def make(fill=None, **keys):
        model_config = ModelConfig(**{"hidden": 8, "layers": 2, "heads": 2, "ffn": 16, **keys})
        config = Config(name="model", data=DataConfig(text_length=6), model=model_config)
        paddle.seed(1)
        model = new_model(config, len(PIECES), REGION_DIM)
        if fill is not None:
            word = model.text_embedding.word.weight
            word.set_value(paddle.full_like(word, fill))
        directory = tmp_path_factory.mktemp("untrained") / "step"
        write_checkpoint(directory, model, config, "\n".join([*PIECES, ""]).encode(), {})
        return open_checkpoint(directory)

    return make


@pytest.fixture(scope="session")
def exported(untrained, tmp_path_factory):
    """A function: side, whether with ONNX, keys of the model -> the checkpoint and the directory of its encoder, made once."""
    from inflate_shrink.search.encoder.export import export_encoder

    made = {}

    def make(side="text", onnx=False, **keys):
        key = (side, onnx, *sorted(keys.items()))
        if key not in made:
            checkpoint, directory = untrained(**keys), tmp_path_factory.mktemp("exported") / "encoder"
            export_encoder(checkpoint, directory, side, onnx)
            made[key] = checkpoint, directory
        return made[key]

    return make
