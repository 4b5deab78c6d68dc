"""Options that several tools share; how a tool ends: signals, a reader that has gone; names of commands."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from inflate_shrink import cli, commands
from inflate_shrink.cli import training_config
from inflate_shrink.config import config_from_dict, load_config
from inflate_shrink.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
COCO = ROOT / "configs" / "coco.yaml"


def test_several_overrides_behind_one_option():
    overrides = ["-o", "optim.lr=1", "optim.epochs=2", "--resume", "-o", "model.codes=3"]
    config, resume = training_config("", ["-c", f"{COCO}:B", *overrides])
    assert (config.optim.lr, config.optim.epochs, config.model.codes, resume) == (1, 2, 3, True)


def test_show_prints_the_whole_config_and_what_is_published(capsys):
    with pytest.raises(SystemExit) as end:
        training_config("", ["-c", f"{COCO}:I-k8l8-F", "-o", "optim.epochs=2", "--show"])
    said = capsys.readouterr().out
    assert end.value.code is None
    published = "Table 9, setting 8, coco1k: t2i R@1/5/10 67.6/91.4/98.4, i2t R@1/5/10 81.3/96.2/98.9"
    assert said.startswith(f"# Published: {published}\nname: I-k8l8-F\n")
    assert config_from_dict(yaml.safe_load(said), "shown") == load_config(f"{COCO}:I-k8l8-F", ["optim.epochs=2"])


@pytest.mark.parametrize(
    "row, line",
    [
        ("I-B", "# Published: Table 2, flickr30k: t2i R@1/5/10 64.5/88.2/92.4, i2t R@1/5/10 79.4/95.6/97.7\n"),
        ("SCAN-t2i", "# Published: Table 5, coco1k: t2i R@1/5/10 58.8/88.4/94.8, i2t R@1/5/10 72.7/94.8/98.4\n"),
        ("joint", "# Published: Geigle et al. 2022, reranked, coco5k: t2i R@1/5/10 54.7/81.3/88.9\n"),
        ("I-k2l2", "# Published: nothing for a row of this name\n"),
    ],
)
def test_published_lines(capsys, row, line):
    with pytest.raises(SystemExit):
        training_config("", ["-c", f"{COCO}:{row}", "--show"])
    assert line in capsys.readouterr().out


def python(code, *arguments, **pipes):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=ENVIRONMENT, text=True, **pipes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "ready", ["print('ready', flush=True); import paddle", "import paddle; print('ready', flush=True)"]
)
def test_sigterm_is_one_line_before_and_after_paddle_is_imported(ready):
    code = f"from inflate_shrink.cli import run_tool\ndef main(argv):\n    {ready}\n    import time; time.sleep(60)\nrun_tool(main)"
    process = python(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert (process.wait(30), process.stderr.read()) == (143, "terminated\n")


@pytest.mark.parametrize("lines", [1, 100_000])  # met at the last flush, and while writing
def test_a_reader_that_has_gone_ends_a_tool_without_a_word(lines):
    code = f"from inflate_shrink.cli import run_tool\nrun_tool(lambda argv: [print('a line') for _ in range({lines})])"
    read, write = os.pipe()
    os.close(read)
    process = python(code, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert process.communicate(timeout=30)[1] == "" and process.returncode == 141


@pytest.fixture
def inflate_shrink(monkeypatch, capsys):
    """A function: the arguments of inflate-shrink -> exit code, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["inflate-shrink", *arguments])
        code = 0
        try:
            commands.main()
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


def test_commands_are_listed_with_a_line_each(inflate_shrink):
    code, stdout, stderr = inflate_shrink("--help")
    assert (code, stderr) == (0, "") and inflate_shrink() == (0, stdout, "")
    for name in commands.names():
        assert f"  {name:<17} {commands.summary(name)}\n" in stdout and len(commands.summary(name)) > 20
    assert "  train             Train a model with the ranking loss" in stdout


def test_a_command_by_name(inflate_shrink):
    code, stdout, _ = inflate_shrink("train", "--help")
    assert code == 0 and stdout.startswith("usage: inflate-shrink train [-h]")
    assert "\n  inflate-shrink train -c configs/demo/B.yaml --resume" in stdout and "tools/" not in stdout
    assert inflate_shrink("eval") == (2, "", "error: give -c CONFIG or --checkpoint DIR\n")
    assert inflate_shrink("trian", "-c") == (
        2,
        "",
        "error: trian: no such command; the nearest is 'train', and inflate-shrink --help lists all\n",
    )
    stderr = inflate_shrink("index", "info", "/nowhere")[2]
    assert stderr.count("\n") == 1 and "inflate-shrink index build makes one" in stderr


@pytest.mark.parametrize("reference", ["configs/demo/B.yaml", "configs/demo.yaml:I-B"])
def test_outside_a_clone_configs_are_the_packages(inflate_shrink, tmp_path, monkeypatch, reference):
    here = inflate_shrink("train", "-c", reference, "--show")
    monkeypatch.chdir(tmp_path)
    assert inflate_shrink("train", "-c", reference, "--show") == here and not here[0]
    (tmp_path / "configs").mkdir()
    code, stdout, stderr = inflate_shrink("train", "-c", reference, "--show")
    assert (code, stdout, stderr.count("\n")) == (2, "", 1) and "configs" in stderr


@pytest.mark.parametrize("number", [-1, 1025, 1_000_000])
def test_threads_beyond_reason(number):
    with pytest.raises(InputError, match=f"expected 0 to 1024, found {number}"):
        cli.at_once(str(number))
    assert cli.at_once("1024") == 1024


@pytest.mark.slow
def test_a_second_run_is_refused_before_paddle_is_imported(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last").symlink_to("step-000001")
    (tmp_path / "tiny.yaml").write_text(f"run: {{dir: {tmp_path}/run}}\ndata: {{dir: {tmp_path}/none}}\n")
    for name in ("train", "distill"):
        code = (
            f"import sys; from inflate_shrink.commands.{name} import main\n"
            "try:\n    main(sys.argv[1:])\nfinally:\n    assert 'paddle' not in sys.modules"
        )
        process = python(code, "-c", tmp_path / "tiny.yaml", stderr=subprocess.PIPE)
        assert process.communicate(timeout=30)[1].endswith(
            f"InputError: {tmp_path}/run already holds a run: --resume goes on with it, -o run.dir=... starts another\n"
        )
