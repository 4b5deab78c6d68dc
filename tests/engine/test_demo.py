"""The demo's steps as processes, and its table."""

from pathlib import Path

import pytest
import yaml

from inflate_shrink.data.demo.build import build_demo
from inflate_shrink.data.demo.spec import DemoSpec
from inflate_shrink.engine.demo import format_table, measure, run_steps
from inflate_shrink.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config_files(tmp_path, monkeypatch):
    """B and B-F of the demo, as small as can be."""
    monkeypatch.chdir(ROOT)  # the steps are calls of tools/*.py
    build_demo(tmp_path / "data", spec=DemoSpec(train=16, val=4, test=6))
    files = []
    for name in ("B", "B-F"):
        config = {
            "_base_": str(ROOT / "configs" / "demo" / f"{name}.yaml"),
            "data": {"dir": str(tmp_path / "data")},
            "model": {"hidden": 16, "layers": 1, "ffn": 16},
            "optim": {"epochs": 1, "batch_size": 8},
            "run": {"dir": str(tmp_path / name), "log_steps": 2},
        }
        if name == "B-F":
            config["distill"] = {"teacher": str(tmp_path / "B")}
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump(config))
    return [str(file) for file in files]


def test_steps_wait_for_their_teachers_and_are_reused(config_files, capsys):
    run_steps(config_files)
    first = capsys.readouterr().out
    assert first.index("tools/train.py") < first.index("tools/distill.py")
    assert "B-F.yaml: epoch 1 step 10/10: loss" in first

    run_steps(config_files)
    assert capsys.readouterr().out.count("is finished: nothing to do") == 2

    results = [measure(file) for file in config_files]
    assert [(row["model"], row["codes"], row["fragments"]) for row in results] == [("B", 0, 32), ("B-F", 0, 1)]
    for row in results:
        assert row["images"] == 6 and row["captions"] == 30
        assert row["encode_ms"] > 0 and row["score_ms"] > 0
        assert set(row["t2i"]) == set(row["i2t"]) == {"r1", "r5", "r10"}
        assert 0 <= row["t2i"]["r1"] <= row["t2i"]["r5"] <= row["t2i"]["r10"] <= 100


def test_a_failed_step_stops_those_that_need_it(config_files, capfd):
    path = Path(config_files[0])
    path.write_text(path.read_text().replace("batch_size: 8", "batch_size: 8000"))
    with pytest.raises(InputError, match="B.yaml: this step of the demo failed"):
        run_steps(config_files)
    out = capfd.readouterr().out
    assert "B.yaml: error: " in out and "fewer than optim.batch_size (8000)" in out
    assert "distill.py" not in out


def test_table_stands_beside_the_paper():
    row = {"model": "I-B-F", "codes": 0, "fragments": 1, "t2i": {"r1": 1.25, "r5": 2, "r10": 3}, "i2t": {"r1": 4, "r5": 5, "r10": 6}}
    table = format_table([{**row, "encode_ms": 0.5, "score_ms": 0.25, "images": 10, "captions": 50}])
    assert "1.2/2.0/3.0" in table and "4.0/5.0/6.0" in table
    assert "62.2/87.0/92.5" in table and "77.1/93.8/96.9" in table  # Table 2, Flickr30K
    assert "10 test images, 50 captions" in table
