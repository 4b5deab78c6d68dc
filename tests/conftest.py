"""A tiny data set and tiny models for the tests of training, evaluation and the tools."""

import doctest
import inspect
import os
import shutil
import signal
import sys
from pathlib import Path

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # one of several processes that test at once: a thread each, and each process that they start
    os.environ.update(MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import pytest

from inflate_shrink.config import DataConfig, load_config
from inflate_shrink.cpu import prepare_for_paddle
from inflate_shrink.data.demo.build import build_demo
from inflate_shrink.data.demo.spec import DemoSpec
from tool_process import TOOLS, ToolProcess, start_server

prepare_for_paddle()  # before a test imports Paddle
sys.path.append(str(TOOLS))  # holds the package benchmark
# A shell starts background jobs with Ctrl-C ignored, and so would ours be.
signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
# What passes where Paddle cannot be imported says nothing of its version: .ci/run tests it once, with tests/no_paddle
# in Paddle's place, and all else under each version.
WITHOUT_PADDLE = {TESTS / name for name in ("config", "data", "fitted", "kernel", "report", "search/index")}
WITH_PADDLE = {
    *(TESTS / "data" / f"test_{name}.py" for name in ("demo_build", "text", "vocabulary")),
    TESTS / "report" / "test_hub.py",
}


def pytest_addoption(parser):
    """Add the choice between tests that do without Paddle and all others."""
    parser.addoption("--paddle", choices=("with", "without"), help="only tests that need Paddle, or do without it")


def pytest_ignore_collect(collection_path, config):
    """Leave out what --paddle has not chosen; a folder that holds some of both kinds is entered."""
    chosen, within = config.getoption("paddle"), {collection_path, *collection_path.parents}
    mixed = any(collection_path in path.parents for path in WITHOUT_PADDLE | WITH_PADDLE)
    if chosen is None or mixed or collection_path == TESTS or TESTS not in within:
        return None
    without = bool(within & WITHOUT_PADDLE) and not within & WITH_PADDLE
    return without != (chosen == "without") or None


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """The directory of a data set of 24 + 8 + 10 scenes, five captions each, already tokenised. Not to be changed."""
    from inflate_shrink.data.tokenized import open_training_data, tokenize_split

    directory = tmp_path_factory.mktemp("data") / "tiny"
    build_demo(directory, spec=DemoSpec(train=24, val=8, test=10))
    data = open_training_data(DataConfig(dir=str(directory)), batch_size=8)
    tokenize_split(data.store, "test", data.tokenizer)
    return directory


@pytest.fixture
def own_data(tiny_data, tmp_path):
    """A copy of the tiny data set that a test may damage."""
    return shutil.copytree(tiny_data, tmp_path / "own")


@pytest.fixture(scope="session")
def tiny_yaml(tiny_data, tmp_path_factory):
    """A config of 15 updates an epoch."""
    path = tmp_path_factory.mktemp("configs") / "tiny.yaml"
    path.write_text(
        "recipe: released\n"
        f"data: {{dir: {tiny_data}}}\n"
        "model: {hidden: 16, layers: 1, heads: 2, ffn: 16, dropout: 0.1, fragments: 4}\n"
        "optim: {lr: 2e-3, epochs: 2, batch_size: 8, schedule: constant}\n"
        "run: {log_steps: 5}\n"
    )
    return path


@pytest.fixture(scope="session")
def tiny_config(tiny_yaml):
    """A function: overrides such as "optim.lr=1" -> Config."""
    return lambda *overrides: load_config(tiny_yaml, overrides)


@pytest.fixture(scope="session")
def trained(tiny_config, tmp_path_factory):
    """A function: a model's overrides -> the directory of a finished run of one epoch, made once."""
    from inflate_shrink.engine.steps import train

    runs = {}

    def run(*overrides):
        if overrides not in runs:
            runs[overrides] = tmp_path_factory.mktemp("trained") / "run"
            train(tiny_config("optim.epochs=1", *overrides, f"run.dir={runs[overrides]}"))
        return runs[overrides]

    return run


@pytest.fixture(scope="session")
def examples():
    """A function that runs the examples in the docstrings of a module, or of one object: the number of those that failed, and of all."""

    def run(what, **names):
        module = what if inspect.ismodule(what) else sys.modules[what.__module__]
        found = doctest.DocTestFinder(recurse=what is module).find(what, what.__name__, module, extraglobs=names)
        runner = doctest.DocTestRunner()
        for example in found:
            runner.run(example)
        return runner.summarize()

    return run


@pytest.fixture(scope="session")
def start_tool():
    """A function that starts ``tools/NAME.py`` as a user would, and returns the process."""
    start_server()
    return lambda name, *arguments: ToolProcess(name, map(str, arguments))


@pytest.fixture(scope="session")
def run_tool(start_tool):
    """A function that runs ``tools/NAME.py`` to its end: exit code, stdout, stderr."""

    def run(name, *arguments):
        process = start_tool(name, *arguments)
        stdout, stderr = process.communicate(timeout=300)
        return process.returncode, stdout, stderr

    return run
