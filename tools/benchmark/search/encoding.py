"""Milliseconds of encoding a text query (Table 3), with random weights: the time does not depend on them."""

from __future__ import annotations

import numpy as np

from inflate_shrink.config import load_config
from inflate_shrink.data.vocabulary import SPECIAL_TOKENS

from ..environment import workspace
from .timing import best_and_median, milliseconds

WORDS = 10  # of a query
VOCABULARY = 30522  # bert-base-uncased's
REGION_DIM = 2048
REGIONS = 32
_REPEATS = 30


class Encoding:
    """Encodes and matches on Paddle's default device; in a process of its own (:class:`.worker.Worker`)."""

    def __init__(self, threads: int, seed: int):
        import paddle

        self.paddle, self.threads, self.generator = paddle, threads, np.random.default_rng(seed)
        paddle.seed(seed)
        self.words = [f"word{number}" for number in range(VOCABULARY - len(SPECIAL_TOKENS))]

    def device(self) -> str:
        """Return Paddle's name of the device, such as cpu or gpu:0."""
        return self.paddle.device.get_device()

    def query(self, config: str) -> dict:
        """Measure encoding one query by a config's model, ``eager`` and ``exported`` (Paddle Inference, tokenizing
        included)."""
        from inflate_shrink.engine.checkpoint import open_checkpoint, write_checkpoint
        from inflate_shrink.search.encoder.encoders import QueryEncoder
        from inflate_shrink.search.encoder.export import export_encoder

        values, model = self._model(config)
        text = " ".join(self.generator.choice(self.words, WORDS))
        with workspace() as directory:
            vocabulary = "".join(f"{piece}\n" for piece in (*SPECIAL_TOKENS, *self.words)).encode()
            write_checkpoint(directory / "checkpoint", model, values, vocabulary, {})
            checkpoint = open_checkpoint(directory / "checkpoint")
            ids = self.paddle.to_tensor(checkpoint.tokenizer()([text]))
            export_encoder(checkpoint, directory / "encoder")
            encoder = QueryEncoder(directory / "encoder", self.threads)
            with self.paddle.no_grad():
                eager = milliseconds(lambda: model.encode_text(ids).vectors.numpy(), _REPEATS)
            exported = milliseconds(lambda: encoder([text]), _REPEATS)
        # The first two choose kernels.
        return {
            "eager": best_and_median(eager[2:]),
            "exported": best_and_median(exported[2:]),
        }

    def pairs(self, config: str, pairs: int, seconds: float = 3.0) -> dict:
        """Measure a cross-BERT that scores so many candidates with one query: ``ms_per_pair``, the median."""
        from inflate_shrink.data.batches import Batch
        from inflate_shrink.engine.cross import embed_batch, match_pairs

        _, model = self._model(config)
        ids = np.zeros((1, WORDS + 2), np.int64)
        ids[0] = self.generator.integers(len(SPECIAL_TOKENS), VOCABULARY, WORDS + 2)
        regions = self.generator.random((pairs, REGIONS, REGION_DIM), np.float32)
        counts, zeros, numbers = np.full(pairs, REGIONS), np.zeros(pairs, np.int64), np.arange(pairs)
        with self.paddle.no_grad():
            text, image = embed_batch(model, Batch(ids, regions, counts, numbers, numbers, numbers < 0))
        match_pairs(model, text, image, zeros, numbers)
        times = milliseconds(lambda: match_pairs(model, text, image, zeros, numbers), 5, seconds)
        return {"pairs": pairs, "ms_per_pair": best_and_median(times)["median_ms"] / pairs}

    def _model(self, config: str):
        from inflate_shrink.engine.checkpoint import new_model

        values = load_config(config, ["model.init=none"])
        model = new_model(values, VOCABULARY, REGION_DIM)
        model.eval()
        return values, model
