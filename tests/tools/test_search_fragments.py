"""tools/search.py on an index of fragments, as a user calls it."""

import json
from pathlib import Path

import pytest
from search_results import ids, refused

pytestmark = pytest.mark.slow

TOOLS = Path(__file__).resolve().parents[2] / "tools"
CROSS = ("model.scoring=cross", "loss.candidates=2")


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


def test_bad_builds_leave_nothing(tool, trained, tiny_data, indexes, tmp_path):
    build = ["index", "build", "--checkpoint", trained(), "--out"]
    refused(tool(*build, indexes("first")), indexes("first"), "already exists and is not replaced")
    refused(
        tool(*build, tmp_path / "new", "--first", trained(*CROSS)),
        "its model.scoring is cross; this index takes late_interaction only",
    )
    refused(tool(*build, tmp_path / "new", "--items", "captions", "--codes", 8), "centroids are", "an index of images")
    assert not list(tmp_path.iterdir())
