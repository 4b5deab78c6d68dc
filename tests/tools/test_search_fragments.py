"""tools/index.py and tools/search.py on an index of fragments, as a user calls them."""

import json
import os
import runpy
import shutil
from pathlib import Path

import pytest

from inflate_shrink import cli
from inflate_shrink.lock import take_lock
from inflate_shrink.search.index import IndexWriter, open_index, writer

TOOLS = Path(__file__).resolve().parents[2] / "tools"
F, CROSS = ("model.fragments=1",), ("model.scoring=cross", "loss.candidates=2")


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
        "first": ["--first", trained(*F)],
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


@pytest.fixture
def own(indexes, tmp_path):
    """A copy of the index with an F that a test may change."""
    return shutil.copytree(indexes("first"), tmp_path / "index")


def refused(result, *parts):
    """One line on standard error that holds all the parts, nothing else, and exit code 2."""
    code, stdout, stderr = result
    assert (code, stdout) == (2, "") and stderr.startswith("error: ") and stderr.count("\n") == 1, result
    for part in parts:
        assert str(part) in stderr


def ids(stdout):
    """Of the hits, in order."""
    return [line.split()[2] for line in stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["first", "centroids"])
def test_search(run_tool, tool, indexes, tmp_path, kind):
    arguments = ["search", "--index", indexes(kind), "a red ball", "-k", 3]
    code, stdout, stderr = run_tool(*arguments, "--json", tmp_path / "hits.json")
    assert (code, stderr) == (0, "")
    result = json.loads((tmp_path / "hits.json").read_text())
    assert (
        list(result) == ["index", "query", "hits"]
        and [list(hit) for hit in result["hits"]] == [["rank", "score", "id", "file"]] * 3
    )
    assert (result["index"], result["query"]) == (str(indexes(kind)), "a red ball")
    assert [line.split() for line in stdout.splitlines()] == [
        [str(hit["rank"]), f"{hit['score']:.4f}", hit["id"], hit["file"]] for hit in result["hits"]
    ]
    assert all(Path(hit["file"]).is_file() for hit in result["hits"])
    for more in (["--mode", "exact"], ["--candidates", 10], ["--threads", 1]):
        assert tool(*arguments, *more) == (0, stdout, "")


@pytest.mark.slow
def test_search_with_an_image(tool, indexes, tiny_data, tmp_path):
    arguments = [
        "search",
        "--index",
        indexes("captions"),
        "--image",
        "test-00003",
        "--data",
        tiny_data,
        "--json",
        tmp_path / "hits.json",
    ]
    code, stdout, stderr = tool(*arguments)
    assert (code, stderr) == (0, "") and stdout.count("\n") == 10
    result = json.loads((tmp_path / "hits.json").read_text())
    assert list(result) == ["index", "image", "hits"] and result["image"] == "test-00003"
    hit = result["hits"][0]
    assert stdout.splitlines()[0] == f"   1  {hit['score']:8.4f}  {hit['id']}  {hit['file']}"
    assert f"\t{hit['id'].partition('#')[0]}\t{hit['file']}\n" in (tiny_data / "captions.tsv").read_text()


@pytest.mark.parametrize("kind", ["plain", "first", "centroids"])
def test_search_like(tool, indexes, tmp_path, kind):
    arguments = ["search", "--index", indexes(kind), "--like", "test-00003"]
    code, stdout, stderr = tool(*arguments, "-k", 3, "--json", tmp_path / "hits.json")
    result = json.loads((tmp_path / "hits.json").read_text())
    assert (code, stderr, list(result)) == (0, "", ["index", "like", "hits"]) and result["like"] == "test-00003"
    assert [hit["id"] for hit in result["hits"]] == ids(stdout) and len(ids(stdout)) == 3
    assert tool(*arguments, "-k", 3, "--mode", "exact") == (0, stdout, "")
    code, stdout, stderr = tool(*arguments)
    assert code == 0 and stderr == f"-k 10: {indexes(kind)} holds 9 images besides test-00003; these are all\n"
    assert len(ids(stdout)) == 9 and "test-00003" not in ids(stdout)


def test_only(tool, indexes, tmp_path):
    (tmp_path / "ids").write_text("test-00007\ntest-00001\ntest-00007\n")
    arguments = ["search", "--index", indexes("first"), "red", "--only", tmp_path / "ids"]
    code, stdout, stderr = tool(*arguments, "-k", 3)
    assert code == 0 and sorted(ids(stdout)) == ["test-00001", "test-00007"]
    assert stderr == f"-k 3: {indexes('first')} holds 2 of the images in {tmp_path / 'ids'}; these are all\n"
    (tmp_path / "ids").write_text("test-00007\nnobody\n")
    refused(tool(*arguments), "1 of 2 ids not in the index: 'nobody'")
    (tmp_path / "ids").write_text("")
    refused(tool(*arguments), tmp_path / "ids", "holds no ids; expected one a line")
    refused(tool(*arguments[:-1], tmp_path / "none"), tmp_path / "none", "No such file")


@pytest.mark.slow
def test_more_than_there_are_and_words_that_are_cut_are_said_once(tool, indexes):
    code, stdout, stderr = tool("search", "--index", indexes("plain"), "a red ball " * 20, "-k", 11)
    assert code == 0 and stdout.count("\n") == 10
    assert stderr.splitlines() == [
        "the query is longer than the 32 positions that the model reads; the rest is cut off",
        f"-k 11: {indexes('plain')} holds 10 images; these are all",
    ]
    assert stdout == tool("search", "--index", indexes("plain"), "a red ball " * 10)[1]


def test_cross_bert_last(tool, trained, indexes, tiny_data):
    arguments = ["search", "--index", indexes("first"), "a red ball", "-k", 4]
    code, stdout, stderr = tool(*arguments, "--cross", trained(*CROSS), "--data", tiny_data, "--reranked", 6)
    assert (code, stderr) == (0, "") and stdout.count("\n") == 4
    assert set(ids(stdout)) <= set(ids(tool(*arguments[:-1], 6)[1])) and stdout != tool(*arguments)[1]
    refused(tool(*arguments, "--cross", trained(*CROSS)), "--cross takes a text and --data DIR")
    refused(
        tool(*arguments, "--cross", trained(), "--data", tiny_data), "a bi-encoder; the last stage takes a cross-BERT"
    )


@pytest.mark.parametrize(
    "kind, arguments, parts",
    [
        ("plain", ["TEXT", "-k", "0"], ["k and candidates must be 1 or more, found 0"]),
        ("plain", ["TEXT", "--candidates", "0"], ["found 10 and 0"]),
        ("plain", ["TEXT", "--candidates", "3"], ["--candidates 3: too few for -k 10"]),
        ("plain", ["TEXT", "--threads", "1000000"], ["expected 0 to 1024, found 1000000"]),
        ("plain", [""], ["the query is empty"]),
        (
            "plain",
            ["TEXT", "--mode", "cascade"],
            ["cannot be searched by 'cascade', only by exact", "--first or --centroids"],
        ),
        ("plain", [], ["give one query: a text, --like ID, --image FILE, or --image ID with --data DIR"]),
        ("plain", ["TEXT", "--image", "test-00001", "--data", "DATA"], ["give one query"]),
        ("plain", ["TEXT", "--like", "test-00001"], ["give one query"]),
        ("plain", ["--like", "nobody"], ["1 of 1 ids not in the index: 'nobody'"]),
        ("captions", ["--like", "test-00001#1"], ["an index of captions; the like of an item"]),
        ("plain", ["TEXT", "--threads", "-1"], ["threads"]),
        ("plain", ["TEXT", "--backend", "onnx"], ["onnx"]),
        ("plain", ["--image", "test-00001", "--data", "DATA"], ["an index of images; search it with a text"]),
        ("captions", ["--image", "test-00001"], ["test-00001: no such photo", "with --data DIR the id"]),
        ("captions", ["--image", "nobody", "--data", "DATA"], ["has no image 'nobody'; images.tsv lists them"]),
        ("captions", ["--image", "test-00001", "--data", "none"], ["none: no such data set directory"]),
        ("captions", ["TEXT"], ["an index of captions; search it with an image"]),
    ],
)
def test_bad_query(tool, indexes, tiny_data, kind, arguments, parts):
    refused(
        tool(
            "search",
            "--index",
            indexes(kind),
            *[{"TEXT": "a red ball", "DATA": tiny_data}.get(argument, argument) for argument in arguments],
        ),
        *parts,
    )


def test_add_and_delete(tool, own, tmp_path):
    assert tool("index", "add", own, "--split", "val") == (0, f"{own}: 8 added, now 18 images (commit 2)\n", "")
    assert tool("index", "add", own, "--split", "val")[1] == f"{own}: 0 added, now 18 images (commit 2)\n"
    assert tool("index", "add", own, "--split", "val", "--replace")[1] == f"{own}: 8 added, now 18 images (commit 3)\n"
    (tmp_path / "ids").write_text("val-00000\nval-00001\nval-00000\n")
    assert tool("index", "delete", own, "test-00004", "--ids", tmp_path / "ids") == (
        0,
        f"{own}: 3 deleted, now 15 images (commit 4)\n",
        "",
    )
    for mode in ("exact", "cascade"):
        found = ids(tool("search", "--index", own, "red", "-k", 15, "--mode", mode)[1])
        assert len(found) == 15 and not {"val-00000", "val-00001", "test-00004"} & set(found)
    code, stdout, _ = tool("index", "info", own)
    assert (
        code == 0
        and f"{own}: 15 images" in stdout
        and "; commit 4, 2 segments, 3 deleted images still on disk" in stdout
    )
    assert (
        stdout.count("\nfragments: ")
        == stdout.count("\nvector: ")
        == stdout.count("\nmodel: ")
        == stdout.count("\nfirst: ")
        == 1
    )
    code, stdout, _ = tool("index", "compact", own)
    assert code == 0 and "1 segments" in stdout and "still on disk" not in stdout
    assert tool("index", "info", own, "--verify") == (0, stdout + "verified: every file has its checksum\n", "")


def test_bad_deletions_delete_nothing(tool, own, tmp_path):
    refused(tool("index", "delete", own, "test-00001", "nobody"), own, "1 of 2 ids not in the index: 'nobody'")
    refused(tool("index", "delete", own), "nothing to delete: give ids, or --ids FILE")
    refused(
        tool("index", "delete", own, "--ids", tmp_path / "none"),
        tmp_path / "none",
        "not a readable list of ids",
        "No such file",
    )
    (tmp_path / "empty").write_text("")
    refused(tool("index", "delete", own, "--ids", tmp_path / "empty"), tmp_path / "empty", "holds no ids")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    refused(
        tool("index", "delete", own, "--ids", tmp_path / "binary"), tmp_path / "binary", "not a readable list of ids"
    )
    assert len(open_index(own)) == 10 and open_index(own).commit == 1


def test_bad_additions_add_nothing(tool, trained, own, own_data):
    refused(
        tool("index", "add", own, "--checkpoint", trained("model.codes=3", "model.fragments=all")),
        own,
        "made with weights",
        "for --checkpoint",
    )
    refused(
        tool("index", "add", own, "--first", trained()), "keeps 4 fragments; the first stage takes a model with one"
    )
    refused(tool("index", "add", own, "--checkpoint", "none"), "none: no such checkpoint directory")
    refused(tool("index", "add", own, "--data", own_data), own, "is of", "there, and of", str(own_data), "--replace")
    refused(tool("index", "add", own, "--split", "none"), "no caption of split 'none'")
    assert open_index(own).commit == 1


def test_bad_builds_leave_nothing(tool, trained, tiny_data, indexes, tmp_path):
    build = ["index", "build", "--checkpoint", trained(), "--out"]
    refused(tool(*build, indexes("first")), indexes("first"), "already exists and is not replaced")
    refused(
        tool(*build, tmp_path / "new", "--first", trained(*CROSS)),
        "its model.scoring is cross; this index takes late_interaction only",
    )
    refused(tool(*build, tmp_path / "new", "--items", "captions", "--codes", 8), "centroids are", "an index of images")
    assert not list(tmp_path.iterdir())


def test_two_writers(tool, own, monkeypatch):
    monkeypatch.setattr(writer, "take_lock", lambda path, what, wait: take_lock(path, what, 0.01))
    with IndexWriter(own):
        for arguments in (["delete", own, "test-00001"], ["add", own], ["compact", own]):
            refused(
                tool("index", *arguments),
                own,
                f"is being written by process {os.getpid()} on",
                "try again when that has ended",
            )
        assert tool("search", "--index", own, "red")[0] == 0
    assert tool("index", "delete", own, "test-00001")[0] == 0


def test_a_read_only_folder(tool, own, monkeypatch):
    """Is searched, but not written."""
    monkeypatch.chdir(own.parent)
    user = os.geteuid()
    for path in (own, own / "lock", own / "segments", own / "deleted"):
        os.chmod(path, 0o555)
    if not user:
        os.chmod(own.parent, 0o755)
        os.seteuid(65534)  # root may write anywhere
    try:
        refused(tool("index", "delete", "index", "test-00001"), "index: cannot be written: Permission denied")
    finally:
        if not user:
            os.seteuid(user)
        else:
            os.chmod(own, 0o755)
    assert tool("search", "--index", own, "red", "-k", 10)[1].count("\n") == 10


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "file, damage, message, opens",
    [
        ("fragments.rows", flip, "its checksum is not the one in manifest.json", True),
        ("encoder/model.pdiparams", flip, "its checksum is not", True),
        ("manifest.json", flip, "its checksum is not that of its content", False),
        ("fragments.rows", lambda path: os.truncate(path, 100), "has 100 bytes, manifest.json says", False),
        ("vector.rows", lambda path: path.unlink(), "missing, so this is not a whole index", False),
        ("SEGMENT", shutil.rmtree, "missing, so this is not a whole index", False),
        ("encoder", shutil.rmtree, "missing, so this is not a whole index", False),
        ("first_encoder/encoder.json", lambda path: path.unlink(), "missing, so this is not a whole index", False),
    ],
)
def test_damaged(tool, own, file, damage, message, opens):
    (segment,) = (own / "segments").iterdir()
    path = segment if file == "SEGMENT" else segment / file if file.endswith(".rows") else own / file
    damage(path)
    code, stdout, stderr = tool("index", "info", own, "--verify")
    assert code == 2 and stderr.count("\n") == 1 and str(path) in stderr and message in stderr
    if not opens:
        refused((code, stdout, stderr), path)
        refused(tool("search", "--index", own, "red"), path, message)
        refused(tool("index", "add", own), path, message)


def test_damaged_faiss(tool, own):
    (own / "faiss").mkdir()
    (own / "faiss" / "vector-1.json").write_text("{")
    code, _, stderr = tool("index", "info", own, "--verify")
    assert (
        code == 2
        and stderr.count("\n") == 1
        and stderr.startswith(f"error: {own / 'faiss' / 'vector-1.json'}: is no JSON")
    )
    assert stderr.endswith("it is damaged, build it again, or remove it to search without it\n")


def test_no_index(tool, tmp_path):
    for arguments in (
        ["search", "red", "--index"],
        ["index", "info"],
        ["index", "delete", "--ids", __file__],
        ["index", "add"],
        ["index", "compact"],
    ):
        refused(tool(*arguments, tmp_path / "none"), tmp_path / "none", "no such index; tools/index.py build makes one")
        refused(tool(*arguments, tmp_path), tmp_path, "not an index of fragments: manifest.json is missing")
