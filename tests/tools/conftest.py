"""Tools that run in this process, and the data that they are given."""

import runpy
from pathlib import Path

import pytest
from own_data_forms import IDS, REGIONS

from inflate_shrink import cli

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module")
def prepare_main():
    return runpy.run_path(str(TOOLS / "prepare_data.py"), run_name="prepare_data")["main"]


@pytest.fixture
def prepare(prepare_main, vocab, tmp_path, capsys):
    """A function: tools/prepare_data.py in this process, to ``tmp_path/out``: exit code, stdout, stderr."""

    def prepare(*arguments, workers=1):
        capsys.readouterr()
        code = 0
        try:
            cli.run_tool(
                prepare_main,
                [
                    *map(str, arguments),
                    "--vocab",
                    str(vocab),
                    "--out",
                    str(tmp_path / "out"),
                    "--workers",
                    str(workers),
                ],
            )
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return prepare


@pytest.fixture
def vocab(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ndog\n.\n")
    return path


@pytest.fixture
def regions(tmp_path):
    """A function: format -> path of its regions of images, in a folder of their own."""

    def make(form, ids=IDS, dimension=3, folder="regions"):
        (tmp_path / folder).mkdir(parents=True)
        return REGIONS[form](tmp_path / folder, ids, dimension)

    return make


@pytest.fixture
def flickr(tmp_path):
    """A function: Flickr's token file with two captions for each image."""

    def make(ids=IDS):
        (tmp_path / "captions.txt").write_text(
            "".join(f"{name}.jpg#{i}\tA dog {i} .\n" for name in ids for i in (0, 1))
        )
        return ["--captions", tmp_path / "captions.txt", "--format", "flickr"]

    return make


@pytest.fixture
def tool(capsys):
    """A function: name and arguments of a tool, run in this process -> exit code, stdout, stderr."""

    def run(name, *arguments):
        main = runpy.run_path(str(TOOLS / f"{name}.py"))["main"]
        capsys.readouterr()  # of a training
        try:
            cli.run_tool(main, list(map(str, arguments)))
            code = 0
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def indexes(trained, tiny_data, run_tool, tmp_path_factory):
    """A function: "first", "centroids", "plain" or "captions" -> the index of the test split, made by its command."""
    options = {
        "first": ["--first", trained("model.fragments=1")],
        "centroids": ["--centroids", 16],
        "plain": ["--precision", "float32"],
        "captions": ["--items", "captions"],
    }
    made = {}

    def make(kind):
        if kind not in made:
            directory = tmp_path_factory.mktemp("indexes") / kind
            code, stdout, stderr = run_tool(
                "index", "build", "--checkpoint", trained(), "--split", "test", "--out", directory, *options[kind]
            )
            assert (code, stderr) == (0, "") and stdout.startswith(f"{directory}: {50 if kind == 'captions' else 10} ")
            made[kind] = directory
        return made[kind]

    return make
