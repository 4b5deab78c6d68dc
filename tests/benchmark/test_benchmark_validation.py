"""Memory of a validation, at tiny sizes: which captions are scored, and what is written down."""

import json

import numpy as np
import paddle
import pytest

from benchmark.validation import (
    DIMENSION,
    VOCABULARY,
    ValidationBenchmark,
    draw_split,
    shorten,
    validation_section,
)
from inflate_shrink.config import ModelConfig
from inflate_shrink.engine import encode
from inflate_shrink.engine.evaluate import evaluate, score_all
from inflate_shrink.errors import InputError
from inflate_shrink.model.encoder import DualEncoder


@pytest.mark.parametrize("scored, kept", [(1, [3, 6]), (2, [3, 4, 6, 7]), (9, [3, 4, 5, 6, 7])])
def test_the_last_are_scored_as_ever(monkeypatch, scored, kept):
    monkeypatch.setattr(encode, "BATCH", 3)
    paddle.seed(0)
    model = DualEncoder(ModelConfig(codes=2, hidden=8, layers=1, heads=1, ffn=8), VOCABULARY, DIMENSION)
    model.eval()
    store, data = draw_split(7, 8, seed=0)
    given = data.ids, data.split.image_rows
    whole = score_all(model, store, *given)
    encoded, encode_text = [], model.encode_text
    model.encode_text = lambda ids: encoded.append(len(ids)) or encode_text(ids)
    shorten(model, 7, 8, scored)
    scores = score_all(model, store, *given)
    assert encoded == [3, 2] and whole.all()  # of batches of 3, 3 and 2 captions; 3, 3 and 1 images
    expected = np.zeros_like(whole)
    expected[3:, kept] = whole[3:, kept]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_drawn_split(monkeypatch):
    monkeypatch.setattr(encode, "BATCH", 3)
    store, data = draw_split(5, 7, seed=1)
    assert store.regions.shape == (3, 32, DIMENSION) and data.ids.shape == (7, 32) and data.ids.min() >= 1
    assert data.split.image_rows.tolist() == [0, 1, 2, 0, 1]
    assert data.split.caption_image.tolist() == [0, 1, 2, 3, 4, 0, 1]
    model = DualEncoder(ModelConfig(hidden=8, layers=1, heads=1, ffn=8), VOCABULARY, DIMENSION)
    found = evaluate(model, store, data)
    assert (found["images"], found["captions"]) == (5, 7)


def test_section():
    one = {"codes": 32, "before_mib": 500.0, "peak_mib": 1700.4, "added_mib": 1200.4, "seconds": 9.6}
    text = validation_section({"images": 5, "captions": 7, "hidden": 8, "scored": 2, "models": [one]})
    assert "5 drawn images, 7 captions, d = 8" in text and "2 captions of each scored" in text
    assert text.splitlines()[1].split() == "32 codes 1200 MiB over the 500 before, 1700 in all (10 s)".split()


@pytest.mark.slow
def test_validation(run_tool, tmp_path):
    amount = ("--images", 3, "--captions", 7, "--codes", 2, "--hidden", 8, "--scored", 2, "--seed", 5)
    code, stdout, stderr = run_tool("benchmark", "validation", *amount, "--json", tmp_path / "validation.json")
    assert code == 0, stderr
    result = json.loads((tmp_path / "validation.json").read_text())
    (one,) = result["models"]
    assert one["codes"] == 2 and result["seed"] == 5
    assert one["added_mib"] == one["peak_mib"] - one["before_mib"] > 0 and one["before_mib"] > 0
    assert "validation: peak resident memory" in stdout and result["environment"]["processor"] in stdout


@pytest.mark.parametrize(
    "amount, message",
    [
        (dict(images=0), "--images must be 1 or more, found 0"),
        (dict(images=5, captions=4), "--captions must be 5 or more, found 4"),
        (dict(codes=(32, -1)), "--codes must be 0 or more, found -1"),
        (dict(hidden=0), "--hidden must be 1 or more, found 0"),
        (dict(scored=0), "--scored must be 1 or more, found 0"),
        (dict(seed=-1), "--seed must be 0 or more, found -1"),
    ],
)
def test_amounts_out_of_range(amount, message):
    with pytest.raises(InputError, match=message):
        ValidationBenchmark(**amount)
