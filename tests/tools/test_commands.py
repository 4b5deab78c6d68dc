"""The tools as a user runs them: data, inflate, shrink twice, evaluate."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from inflate_shrink.errors import InputError

TOOLS = Path(__file__).resolve().parents[2] / "tools"
SIDE = ["r1", "r5", "r10", "medr"]


@pytest.mark.slow
@pytest.mark.parametrize("tool", sorted(path.stem for path in TOOLS.glob("*.py")))
def test_help_shows_an_example(tool):
    environment = {**os.environ, "PYTHONPATH": str(TOOLS.parent)}
    # No fork.
    run = subprocess.run(
        [sys.executable, TOOLS / f"{tool}.py", "--help"], env=environment, capture_output=True, text=True
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert f"\n  python tools/{tool}.py" in run.stdout
    for line in run.stdout.splitlines():
        if line.startswith("  python tools/"):
            assert (TOOLS / line.split("tools/")[1].split()[0]).is_file()


@pytest.fixture(scope="module")
def chain(run_tool, tmp_path_factory):
    """A directory with data and the runs I, I-B and I-B-F, each made by its command; what each said."""
    directory, said = tmp_path_factory.mktemp("chain"), {}

    def command(name, *arguments):
        code, stdout, stderr = run_tool(*arguments)
        assert code == 0, stderr
        assert stderr == ""
        said[name] = stdout

    command("data", "make_demo_data", "--out", directory / "data", "--scenes", 8, 2, 3, "--seed", 4)
    (directory / "base.yaml").write_text(
        "recipe: released\n"
        f"data: {{dir: {directory / 'data'}}}\n"
        "model: {hidden: 16, layers: 1, heads: 2, ffn: 16}\n"
        "optim: {epochs: 2, batch_size: 8}\n"
    )
    for name, tool, model, teacher in (
        ("I", "train", "codes: 4, fragments: all", ""),
        ("I-B", "distill", "fragments: 8", "I"),
        ("I-B-F", "distill", "fragments: 1, init: teacher", "I-B"),
    ):
        values = f"_base_: base.yaml\nmodel: {{{model}}}\nrun: {{dir: {directory / name}}}\n"
        values += f"distill: {{teacher: {directory / teacher}}}\n" if teacher else ""
        (directory / f"{name}.yaml").write_text(values)
        command(name, tool, "-c", directory / f"{name}.yaml")
    return directory, said


def test_data_is_made_once(chain, run_tool):
    directory, said = chain
    assert "13 scenes" in said["data"]
    meta = (directory / "data" / "meta.json").stat().st_mtime_ns
    code, stdout, _ = run_tool("make_demo_data", "--out", directory / "data", "--scenes", 8, 2, 3, "--seed", 4)
    assert code == 0 and "nothing to do" in stdout
    assert (directory / "data" / "meta.json").stat().st_mtime_ns == meta


@pytest.mark.parametrize("name, codes, fragments", [("I", 4, "all"), ("I-B", 0, 8), ("I-B-F", 0, 1)])
def test_each_run_has_its_model(chain, name, codes, fragments):
    directory, said = chain
    config = yaml.safe_load((directory / name / "best" / "config.yaml").read_text())
    assert (config["model"]["codes"], config["model"]["fragments"]) == (codes, fragments)
    log = (directory / name / "train.log").read_text()
    for line in said[name].splitlines():
        assert line in log
    assert "epoch 2/2: t2i R@1/5/10" in log
    assert ("distillation loss" if name != "I" else "smooth_max ranking loss") in log


def test_resume_of_a_finished_run(chain, run_tool):
    directory, _ = chain
    code, stdout, stderr = run_tool("distill", "-c", directory / "I-B.yaml", "--resume")
    assert (code, stderr) == (0, "") and "is finished: nothing to do" in stdout


@pytest.fixture(scope="module")
def evaluate():
    """tools/eval.py in this process."""
    return runpy.run_path(str(TOOLS / "eval.py"))["main"]


def test_evaluate_a_config_through_the_command_line(chain, run_tool):
    directory, _ = chain
    code, stdout, stderr = run_tool("eval", "-c", directory / "I-B-F.yaml", "--json", directory / "F.json")
    assert (code, stderr) == (0, "")
    values = json.loads((directory / "F.json").read_text())
    assert list(values) == ["protocol", "images", "captions", "t2i", "i2t", "rsum"]
    assert list(values["t2i"]) == list(values["i2t"]) == SIDE
    assert (values["protocol"], values["images"], values["captions"]) == ("full", 3, 15)
    assert values["rsum"] == pytest.approx(sum(values[side][key] for side in ("t2i", "i2t") for key in SIDE[:3]))
    assert stdout.startswith("t2i R@1/5/10 ") and f"rsum {values['rsum']:.1f}" in stdout and stdout.count("\n") == 1


def test_evaluate_a_checkpoint_with_what_it_was_trained_on(chain, evaluate, tmp_path, capsys):
    directory, _ = chain
    for number, arguments in enumerate(
        (["-c", f"{directory}/I.yaml"], ["--checkpoint", f"{directory}/I"], ["--checkpoint", f"{directory}/I/best"])
    ):
        evaluate([*arguments, "--json", f"{tmp_path}/{number}.json"])
    texts = {path.read_text() for path in tmp_path.glob("*.json")}
    assert len(texts) == 1


def test_fragments_split_and_data(chain, evaluate, tmp_path, capsys):
    directory, _ = chain
    found = {}
    for name, arguments in (
        ("all", []),
        ("every", ["--fragments", "36"]),
        ("one", ["--fragments", "1"]),
        ("train", ["--split", "train"]),
        ("data", ["--data", f"{directory}/data", "--protocol", "full"]),
    ):
        evaluate(["--checkpoint", f"{directory}/I", "--json", f"{tmp_path}/r.json", *arguments])
        found[name] = json.loads((tmp_path / "r.json").read_text())
    assert found["all"] == found["every"] == found["data"] != found["one"]
    assert (found["train"]["images"], found["train"]["captions"]) == (8, 40)
    with pytest.raises(
        InputError, match="I/best: has 36 fragments a side, so no first 37; give --fragments 36 or less"
    ):
        evaluate(["--checkpoint", f"{directory}/I", "--fragments", "37"])


def test_blocks_are_written_and_have_no_protocol(chain, evaluate, tmp_path, capsys):
    directory, _ = chain
    evaluate(["--checkpoint", f"{directory}/I", "--blocks", "--json", f"{tmp_path}/I.json"])
    model, *_ = [each for each in json.loads((tmp_path / "I.json").read_text())["blocks"] if each["text"] == "all"][
        ::-1
    ]
    assert capsys.readouterr().out.startswith("3 images, 15 captions of split test; text: ")
    evaluate(["--checkpoint", f"{directory}/I", "--json", f"{tmp_path}/I.json"])
    whole = json.loads((tmp_path / "I.json").read_text())
    assert {key: model[key] for key in ("t2i", "i2t", "rsum")} == {key: whole[key] for key in ("t2i", "i2t", "rsum")}
    for option in (["--protocol", "fold5"], ["--cross"]):
        with pytest.raises(InputError, match=f"--blocks is measured of a bi-encoder .*; leave out {option[0]}"):
            evaluate(["--checkpoint", f"{directory}/I", "--blocks", *option])


def test_fitted_vectors_are_measured(chain, evaluate, tmp_path, capsys):
    directory, _ = chain
    evaluate(["--checkpoint", f"{directory}/I", "--fitted", "8", "--json", f"{tmp_path}/fitted.json"])
    exact, fitted = json.loads((tmp_path / "fitted.json").read_text())["ways"]
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("15 captions of split test; fitted on 40 captions and 8 images of the training split")
    assert said[-1].startswith("fitted, rank ") and f"{fitted['rho']:.3f}" in said[-1]
    evaluate(["--checkpoint", f"{directory}/I", "--json", f"{tmp_path}/I.json"])
    assert exact["rsum"] == json.loads((tmp_path / "I.json").read_text())["rsum"] and exact["rho"] == pytest.approx(1)
    for option in (["--cross"], ["--fragments", "2"]):
        with pytest.raises(InputError, match=f"--fitted is measured of a bi-encoder .*; leave out {option[0]}"):
            evaluate(["--checkpoint", f"{directory}/I", "--fitted", "8", *option])
    with pytest.raises(InputError, match="rank 0"):
        evaluate(["--checkpoint", f"{directory}/I", "--fitted", "0"])


def test_config_says_where_to_evaluate(chain, evaluate, tiny_data, capsys):
    directory, _ = chain
    with pytest.raises(InputError, match="no such data set"):
        evaluate(["-c", f"{directory}/I.yaml", "-o", "data.dir=elsewhere"])
    evaluate(["-c", f"{directory}/I.yaml", "-o", f"data.dir={tiny_data}", "-o", "data.test_split=val"])
    assert "8 images, 40 captions" in capsys.readouterr().out
