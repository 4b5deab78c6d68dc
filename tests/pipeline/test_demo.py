"""The demo's results, as a table and as a file. Its steps are a pipeline: tests/tools/test_pipeline_tool.py."""

import json
from pathlib import Path

import pytest

from inflate_shrink.commands.demo import main
from inflate_shrink.commands.pipeline import main as run_pipeline
from inflate_shrink.config import Config, ModelConfig
from inflate_shrink.engine.evaluate import describe
from inflate_shrink.errors import InputError
from inflate_shrink.pipeline import demo, plan, run
from inflate_shrink.pipeline.demo import format_table, linear_model
from inflate_shrink.pipeline.result import write_result

ROOT = Path(__file__).resolve().parents[2]


def test_table_stands_beside_the_paper(tmp_path, result_of):
    sides = {"t2i": {"r1": 1.25, "r5": 2, "r10": 3}, "i2t": {"r1": 4, "r5": 5, "r10": 6}, "images": 10, "captions": 50}
    row = {
        "name": "I-B-F",
        "codes": 0,
        "fragments": 1,
        "evaluations": {"full": sides},
        "latency": {"encode_ms": 0.5, "score_ms": 0.25},
        "training": {"steps": 468},
        "config": {"model": {"init": "teacher"}, "distill": {"teacher": str(tmp_path / "I-B")}},
    }
    teacher = result_of(Config(model=ModelConfig(init=str(tmp_path / "B"))))
    write_result(tmp_path / "I-B", {**teacher, "training": {"steps": 300}})
    write_result(tmp_path / "B", {**result_of(Config(model=ModelConfig(init="linear"))), "training": {"steps": 100}})
    linear = {"t2i": {"r1": 0.25, "r5": 0.5, "r10": 1}, "i2t": {"r1": 1, "r5": 2, "r10": 3.25}}
    table = format_table([row], linear)
    first, second = (line.split() for line in table.splitlines()[2:4])
    assert first == ["linear", "0", "0.2/0.5/1.0", "1.0/2.0/3.2"]
    assert second[:7] == ["I-B-F", "0", "1", "x", "1", "868", "1.2/2.0/3.0"]
    assert "4.0/5.0/6.0" in table
    assert "62.2/87.0/92.5" in table and "77.1/93.8/96.9" in table  # Table 2, Flickr30K
    assert "10 test images, 50 captions" in table


@pytest.fixture
def no_training(monkeypatch, tmp_path, result_of):
    """A working directory in which the steps of a pipeline leave made-up results at once."""
    monkeypatch.chdir(tmp_path)
    Path("configs").symlink_to(ROOT / "configs")
    monkeypatch.setattr(demo, "make_demo_data", lambda: None)
    monkeypatch.setattr(plan._Fingerprints, "of", lambda *_: "the demo data")
    monkeypatch.setattr(demo, "linear_model", lambda _: result_of(Config())["evaluations"]["full"])
    monkeypatch.setattr(
        run, "run_steps", lambda steps, lanes: [write_result(step.directory, result_of(step.config)) for step in steps]
    )


def test_linear_row_is_the_model_that_training_starts_from(tiny_config, trained):
    """A run of a linear start logs it, of the validation images."""
    found = linear_model(tiny_config("data.test_split=val"))
    log = (trained("model.init=linear") / "train.log").read_text()
    assert f"linear start, as a model of its own: {describe(found)}" in log


@pytest.mark.slow
def test_a_dry_run_of_what_the_demo_runs_writes_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    Path("configs").symlink_to(ROOT / "configs")
    for data in (["--demo"], ["--data", "demo"], ["--data", "coco"]):
        run_pipeline(["-c", "configs/pipelines.yaml:table2", "--dry-run", *data])
        assert capsys.readouterr().out.startswith(f"data/{data[-1].strip('-')}: not there, reckoned with ")
    assert [path.name for path in tmp_path.iterdir()] == ["configs"]
    with pytest.raises(InputError, match="--demo is --data demo; give one of the two"):
        run_pipeline(["-c", "configs/pipelines.yaml:table2", "--demo", "--data", "coco"])


def test_results_are_kept_in_a_file_that_the_last_line_names(no_training, capsys):
    main([])
    assert capsys.readouterr().out.rstrip().endswith("; the runs are runs/demo/*, their results runs/demo/results.json")
    models = json.loads(Path("runs/demo/results.json").read_text())
    assert [model["model"] for model in models] == ["B", "F", "B-F", "I", "I-F", "I-B", "I-B-F"]
    recalls = {"r1": 50.0, "r5": 80.0, "r10": 90.0}
    assert models[3] == {
        "model": "I",
        "codes": 1,
        "fragments": 33,
        "t2i": recalls,
        "i2t": recalls,
        "encode_ms": 1.5,
        "score_ms": 0.5,
    }
