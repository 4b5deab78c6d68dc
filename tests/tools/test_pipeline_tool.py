"""tools/pipeline.py as a user runs it: chains, shared steps, crashes, failures, results."""

import json
import os
import signal
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

ROWS = {
    "I": {"model": {"codes": 4}},
    "I-B": {"model": {"fragments": 8}, "distill": {"teacher": "runs/x/I"}},
    "joint": {"model": {"fragments": 1, "joint": True}, "loss": {"candidates": 2}},
}


@pytest.fixture
def work(tmp_path, tiny_data, monkeypatch):
    """An empty working directory with rows of tiny models; a function: steps -> a pipeline file."""
    root = Path(__file__).resolve().parents[2]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(root))
    os.mkdir("rows")
    base = {
        "data": {"name": "tiny", "dir": str(tiny_data), "protocols": ["first1k", "full"]},
        "model": {"hidden": 16, "layers": 1, "heads": 2, "ffn": 16},
        "optim": {"epochs": 1, "batch_size": 8, "lr": 2e-3},
        "run": {"log_steps": 5},
    }
    Path("rows/base.yaml").write_text(yaml.safe_dump(base))
    for name, row in ROWS.items():
        Path(f"rows/{name}.yaml").write_text(
            yaml.safe_dump({"_base_": "base.yaml", "name": name, "run": {"dir": f"runs/x/{name}"}, **row})
        )

    def pipeline(*steps, **keys):
        file = Path("-".join(steps) + ".yaml")
        file.write_text(yaml.safe_dump({"data": "rows", "steps": list(steps), **keys}))
        return file

    return pipeline


def run(run_tool, *arguments):
    code, stdout, stderr = run_tool("pipeline", "-c", *arguments)
    assert code == 0, stdout + stderr
    return stdout


def test_a_chain_its_results_what_another_pipeline_reuses_and_a_failed_branch(work, run_tool):
    said = run(run_tool, work("I", "I-B"))
    assert said.index("commands.train -c") < said.index("commands.distill -c")
    result = json.loads(Path("runs/tiny/I-B/result.json").read_text())
    assert (result["name"], result["data"], result["codes"], result["fragments"], result["seed"]) == (
        "I-B",
        "tiny",
        0,
        8,
        0,
    )
    assert list(result["evaluations"]) == ["full"]  # ten images are too few for first1k
    assert (result["evaluations"]["full"]["images"], result["latency"]["candidates"], result["train_images"]) == (
        10,
        10,
        24,
    )
    assert (
        result["training"]["seconds"] > 0
        and result["training"]["steps"] == 15
        and "cores" in result["training"]["hardware"]
    )
    assert result["config"]["distill"]["teacher"] == str(
        Path("runs/steps") / os.readlink("runs/tiny/I").rpartition("/")[2]
    )

    again = run(run_tool, work("joint", "I-B", "I"))
    assert again.count("commands.train") == 1 and "commands.distill" not in again
    assert run(run_tool, work("I", "I-B"), "--dry-run").count("finished:") == 2
    changed = run(run_tool, work("I", "I-B"), "--dry-run", "-o", "optim.lr=1e-3")
    assert changed.count("to run:") == 2

    file = work("joint", "I", "I-B", rerank=[["joint", "joint"]])
    broken = Path("rows/I.yaml")
    broken.write_text(broken.read_text() + "optim: {batch_size: 8000}\n")
    code, stdout, stderr = run_tool("pipeline", "-c", file)
    assert code == 2 and "fewer than optim.batch_size (8000)" in stdout and "commands.distill" not in stdout
    assert stderr.startswith("error: failed, see above: I; not run, because they need these: I-B;")
    result = json.loads(Path("runs/tiny/joint+joint/result.json").read_text())
    assert [row["n"] for row in result["rerank"]] == [0, 5, 10] and result["name"] == "joint+joint"


def test_a_killed_pipeline_goes_on(work, run_tool, start_tool):
    file = work("I", "I-B")
    process = start_tool("pipeline", "-c", file, "-o", "optim.epochs=400", "-o", "run.log_steps=1")
    for line in process.stdout:
        if "update 3/" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert not any(name.startswith("I-B") for name in os.listdir("runs/steps"))
    state = run(run_tool, file, "-o", "optim.epochs=400", "--dry-run")
    assert "resumes at update" in state


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["I-B.yaml"], "step I-B: its distill.teacher runs/x/I is no step of the pipeline"),
        (["missing.yaml"], "missing.yaml: no such config file"),
        (["I-B.yaml", "--lanes", "-1"], "so many threads or processes at once cannot be: expected 0 to 1024, found -1"),
        (["I-B.yaml", "--threads", "0"], "--threads must be 1 or more"),
    ],
)
def test_bad_input_is_one_line_and_nothing_runs(work, run_tool, arguments, message):
    work("I-B")
    code, stdout, stderr = run_tool("pipeline", "-c", *arguments)
    assert (code, stdout, stderr.count("\n")) == (2, "", 1)
    assert message in stderr and not Path("runs").exists()
