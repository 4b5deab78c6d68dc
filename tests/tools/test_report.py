"""tools/report.py as a user runs it."""

import json

import pytest

SIDE = {"r1": 60.0, "r5": 80.0, "r10": 90.0, "medr": 1.0}
RESULT = {
    "name": "B", "data": "coco", "split": "test", "seed": 0, "codes": 0, "fragments": 32, "scoring": "late_interaction", "hidden": 768,
    "layers": 3, "text_length": 32, "regions": 32, "recipe": "released", "train_images": 113287,
    "evaluations": {"first1k": {"protocol": "first1k", "images": 1000, "captions": 5000, "t2i": SIDE, "i2t": SIDE, "rsum": 460.0}},
    "training": {"hardware": "A CPU", "date": "2026-11-21"}, "config": {"run": {}, "data": {}, "model": {}, "distill": {}},
}  # fmt: skip


@pytest.fixture
def runs(tmp_path):
    for data in ("coco", "demo"):
        path = tmp_path / "runs" / data / "B" / "result.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({**RESULT, "data": data}))
    return tmp_path / "runs"


@pytest.mark.slow
def test_everything(run_tool, runs, tmp_path):
    (runs / "result.json").write_text("")
    code, stdout, stderr = run_tool("report", "--runs", runs, "--out", tmp_path / "out")
    assert (code, stderr) == (0, "")
    names = [f"{data}.{form}" for data in ("coco", "demo") for form in ("md", "csv", "json")]
    names += [
        f"figure{number}-{data}.{form}" for data in ("coco", "demo") for number in (1, 3) for form in ("png", "svg")
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
    assert all(str(tmp_path / "out" / name) in stdout for name in names)
    assert f"not counted: {runs}/result.json: cannot be read as JSON" in stdout
    assert "![Figure 1](figure1-coco.png)" in (tmp_path / "out" / "coco.md").read_text(encoding="utf-8")


def test_a_part(run_tool, runs, tmp_path):
    options = ("--data", "coco", "--tables", "2", "9", "--figures", "--format", "md")
    code, stdout, _ = run_tool("report", "--runs", runs, "--out", tmp_path / "out", *options)
    assert (code, stdout) == (0, f"{tmp_path}/out/coco.md: 2 tables of 1 models\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["coco.md"]


@pytest.mark.parametrize(
    "options, message",
    [
        ((), "no result.json of a finished run"),
        (("--data", "coco"), "no result.json of a finished run"),
        (("--runs", "nowhere"), "no such directory"),
    ],
)
def test_nothing_to_report_on(run_tool, tmp_path, options, message):
    code, stdout, stderr = run_tool("report", "--runs", tmp_path, "--out", tmp_path / "out", *options)
    assert (code, stdout) == (2, "") and stderr.count("\n") == 1 and message in stderr
    assert not (tmp_path / "out").exists()


def test_unknown_data_set(run_tool, runs):
    code, _, stderr = run_tool("report", "--runs", runs, "--data", "cocoa")
    assert code == 2 and "no result on data set 'cocoa'; there are results on coco, demo" in stderr
