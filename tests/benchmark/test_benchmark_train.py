"""Updates of training beside PyTorch's: what is compared, and what is written down."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from benchmark.training.case import STEPS, Case, batches, teacher_fragments, write_data
from benchmark.training.measure import TrainBenchmark, _compare
from benchmark.training.ours import Ours
from benchmark.training.report import case_text, training_markdown
from inflate_shrink.errors import InputError

CASE = Case("B", 8, 4, 50)
ONE = {
    **CASE.as_json(), "updates": 3, "pairs_per_second": 100.0, "torch_pairs_per_second": 50.0, "ratio": 2.0,
    "torch_ms": 80.0, "difference": 1e-7,
    "ours": {"encoding": 10.0, "scoring": 4.0, "loss": 2.0, "backward": 20.0, "optimizer": 4.0, "update": 40.0, "data": 3.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    write_data(folder / "data", 0)
    return folder


def test_batches_are_drawn_alike_and_no_image_twice(directory):
    first, again = (next(batches(CASE, directory / "data")) for _ in range(2))
    for one, other in zip(first[:5], again[:5]):
        np.testing.assert_array_equal(one, other)
    assert len(set(first.images)) == 4 and first.regions.shape == (4, 32, 2048)
    assert ((first.ids != 0).sum(1) >= 8).all() and (first.ids < 50).all()


def test_a_teachers_padding_is_masked_where_it_does_not_count():
    text, image = teacher_fragments(Case("I-B", 8, 4, 50, "masked"))
    assert text.vectors.shape == image.vectors.shape == (256, 64, 8) and (text.mask[:, 32:] == 1).all()
    assert 8 <= text.mask[:, :32].sum(1).min() and text.mask[:, :32].sum(1).max() <= 23 and image.mask.all()


@pytest.mark.parametrize("step", ["F", "I", "B-F"])
def test_parts_are_those_of_an_update(directory, step):
    side = Ours(1)
    side.prepare(Case(step, 8, 4, 50).as_json(), str(directory))
    (found,) = side.time(1)
    assert (found["teacher"] > 0) == ("-" in step)
    parts = sum(found[name] for name in found if name not in ("update", "data"))
    assert parts == pytest.approx(found["update"])


@pytest.mark.skipif(not find_spec("torch"), reason="needs the extra bench")
@pytest.mark.parametrize("padding", ["counted", "masked"])
@pytest.mark.parametrize("step", STEPS)
def test_both_sides_have_the_same_losses(directory, step, padding):
    from benchmark.training.torch_side import Torch

    # narrower ones have cosines, and so logits, too large for losses of float32 to agree to 1e-5
    case, found = Case(step, 128, 8, 50, padding), {}
    for name, side in (("ours", Ours(1)), ("torch", Torch(1))):
        side.prepare(case.as_json(), str(directory))
        found[name] = side.losses(3)
    assert _compare(case, found) <= 1e-5 and len(set(found["ours"])) == 3


def test_sides_that_differ_are_not_timed():
    assert _compare(CASE, {"ours": [1.0, 2.0], "torch": [1.0, 2.00001]}) == pytest.approx(5e-6, rel=1e-3)
    assert _compare(CASE, {"ours": [1.0]}) is None
    for other in (2.001, float("nan")):
        with pytest.raises(InputError, match="B: the losses of ours and of PyTorch differ"):
            _compare(CASE, {"ours": [1.0, 2.0], "torch": [1.0, other]})


def test_report():
    assert case_text(ONE) == (
        "B    hidden   8, batch   4, vocabulary    50:   100.0 pairs/s, PyTorch    50.0: 2.00 times as fast\n"
        "     encoding 25 %, scoring 10 %, loss 5 %, backward 50 %, optimizer 10 %; reading data, ahead: 3 ms a batch"
    )
    alone = {**ONE, "torch_ms": None, "torch_pairs_per_second": None, "ratio": None}
    assert "PyTorch" not in case_text(alone)
    versions = {"paddle": "3.3.1", "torch": None}
    environment = {"date": "2026-11-28T10:00", "processor": "some CPU", "load": 0.5, "versions": versions}
    result = {"environment": environment, "seed": 0, "threads": 2, "padding": "counted", "cases": [ONE, alone]}
    page = training_markdown(result, "python tools/benchmark.py train")
    assert "| B | 8 | 4 | 50 | 100.0 | 50.0 | 2.00 | 25 % | 10 % | 0 % | 5 % | 50 % | 10 % |" in page
    assert "| B | 8 | 4 | 50 | 100.0 |  |  | 25 % |" in page


@pytest.mark.parametrize(
    "given, message",
    [(dict(hidden=(128, 4)), "--hidden must be 8"), (dict(batches=(512,)), "--batches must be 256 or less"),
     (dict(rounds=0), "--rounds must be 1")],
)  # fmt: skip
def test_amounts_that_cannot_be(given, message):
    with pytest.raises(InputError, match=message):
        TrainBenchmark(**given)


def test_tool(run_tool, tmp_path):
    files = {name: tmp_path / f"train.{name}" for name in ("json", "markdown")}
    amount = ("--models", "B-F", "--hidden", 8, "--batches", 2, "--vocabulary", 50, "--rounds", 1, "--seconds", 0)
    code, stdout, stderr = run_tool(
        "benchmark", "train", *amount, "--threads", 1, "--json", files["json"], "--markdown", files["markdown"]
    )
    assert code == 0, stderr
    result = json.loads(files["json"].read_text())
    (case,) = result["cases"]
    assert case["step"] == "B-F" and case["pairs_per_second"] > 0 and case["ours"]["teacher"] > 0
    assert (case["ratio"] is None) == (find_spec("torch") is None)
    assert "B-F  hidden   8, batch   2" in stdout and "| B-F | 8 | 2 | 50 |" in files["markdown"].read_text()
