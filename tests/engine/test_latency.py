"""Latency: what is timed, and that it can be timed on this machine."""

import numpy as np
import paddle

from inflate_shrink.engine import latency
from inflate_shrink.engine.checkpoint import new_model
from inflate_shrink.engine.latency import query_latency
from inflate_shrink.scoring import Fragments, normalize


def test_one_query_is_encoded_and_scored_at_a_time(tiny_config, monkeypatch):
    model = new_model(tiny_config(), vocab_size=9, region_dim=4)
    model.eval()
    image = Fragments(normalize(paddle.randn([7, 4, 16])))
    encode, score, encoded, scored = model.encode_text, model.score, [], []
    monkeypatch.setattr(model, "encode_text", lambda ids: (encoded.append(ids.numpy().tolist()), encode(ids))[1])
    monkeypatch.setattr(
        model, "score", lambda text, other: (scored.append((text.vectors.shape, other is image)), score(text, other))[1]
    )
    encode_ms, score_ms = query_latency(model, np.array([[2, 5, 3], [2, 6, 3]]), image, repeats=4)
    assert encode_ms > 0 and score_ms > 0
    assert encoded[-4:] == [[[2, 5, 3]], [[2, 6, 3]]] * 2
    assert scored == [([1, 3, 16], True)] * 4


def test_median_leaves_out_the_first_calls(monkeypatch):
    times = iter([0, 50, 50, 99, 99, 100, 200, 203, 300, 302])  # seconds: start and end of each call
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(times))
    assert latency.median_ms(lambda i: paddle.ones([1]), 5) == 2000
