"""tools/index.py and tools/search.py on an inverted index, as a user calls them."""

import json
import os
import shutil

import numpy as np
import pytest

from inflate_shrink.engine.checkpoint import open_checkpoint, write_checkpoint

SPARTA = ("model.scoring=visual_sparta", "model.score_padding=masked")


@pytest.fixture(scope="module")
def checkpoint_with(trained, tmp_path_factory):
    """A function: word vectors -> a checkpoint that has them; a number fills them all, None draws them at random."""

    def make(value=None):
        first = open_checkpoint(trained(*SPARTA))
        model, directory = first.load_model(), tmp_path_factory.mktemp("checkpoints") / "step"
        words = (
            np.random.default_rng(0).normal(size=(model.vocab_size, 16))
            if value is None
            else np.full((model.vocab_size, 16), value)
        )
        model.text_embedding.word.weight.set_value(words.astype(np.float32))
        write_checkpoint(directory, model, first.config, first.vocab_file.read_bytes(), first.state)
        return directory

    return make


@pytest.fixture(scope="module")
def index(checkpoint_with, tiny_data, run_tool, tmp_path_factory):
    directory = tmp_path_factory.mktemp("search") / "index"
    code, stdout, stderr = run_tool(
        "index", "build", "--checkpoint", checkpoint_with(), "--data", tiny_data, "--split", "test", "--out", directory
    )
    assert (code, stderr) == (0, "") and stdout.startswith(f"{directory}: inverted index of 10 images")
    return directory


def test_info(tool, index):
    code, stdout, stderr = tool("index", "info", index, "--verify")
    assert (code, stderr) == (0, "") and stdout.endswith("verified: every file has its checksum\n")
    assert stdout == tool("index", "info", index)[1] + "verified: every file has its checksum\n"


def test_search(run_tool, index, tmp_path):
    code, stdout, stderr = run_tool("search", "--index", index, "a red ball", "-k", 3, "--json", tmp_path / "hits.json")
    assert (code, stderr) == (0, "")
    result = json.loads((tmp_path / "hits.json").read_text())
    assert (result["index"], result["query"], [hit["rank"] for hit in result["hits"]]) == (
        str(index),
        "a red ball",
        [1, 2, 3],
    )
    lines = [line.split() for line in stdout.splitlines()]
    assert lines == [
        [str(hit["rank"]), f"{hit['score']:.4f}", hit["id"], *filter(None, [hit["file"]])] for hit in result["hits"]
    ]


def test_more_than_there_are(tool, index):
    code, stdout, stderr = tool("search", "--index", index, "red", "-k", 11)
    assert code == 0 and stderr == f"-k 11: {index} holds 10 images; these are all\n" and stdout.count("\n") == 10


@pytest.mark.parametrize(
    "query, k, parts",
    [
        ("", 1, ["the query is empty"]),
        ("red", 0, ["k must be 1 or more, found 0"]),
        ("xylophone", 1, ["no image scores above 0 with a word of the query 'xylophone'"]),
    ],
)
def test_bad_query(tool, index, query, k, parts):
    refused(tool("search", "--index", index, query, "-k", k), parts)


def test_damaged_index(tool, index, tmp_path):
    copy = shutil.copytree(index, tmp_path / "copy")
    os.truncate(copy / "posting_scores.npy", 200)
    for arguments in (["search", "red", "--index", copy], ["index", "info", copy]):
        refused(tool(*arguments), [copy / "posting_scores.npy", "has 200 bytes"])
    refused(
        tool("search", "red", "--index", tmp_path / "none"),
        [tmp_path / "none", "no such index", "tools/index.py build"],
    )


@pytest.mark.parametrize(
    "option, value, parts",
    [
        ("--checkpoint", "CROSS", ["its model.scoring is cross", "takes late_interaction only"]),
        ("--checkpoint", "none", ["none: no such checkpoint directory"]),
        ("--data", "none", ["none: no such data set directory"]),
        ("--data", "OTHER", ["regions have 3 dimensions", "was trained on"]),
        ("--split", "none", ["no caption of split 'none'"]),
        ("--out", "INDEX", ["already exists and is not replaced"]),
        ("--top", "-1", ["--top must be 0 or more, found -1"]),
    ],
)
def test_bad_build(tool, index, trained, own_data, tmp_path, option, value, parts):
    arguments = {"--checkpoint": trained(*SPARTA), "--data": own_data, "--split": "test", "--out": tmp_path / "new"}
    if value == "OTHER":
        narrow(own_data)
    arguments[option] = {
        "CROSS": trained("model.scoring=cross", "loss.candidates=2"),
        "OTHER": own_data,
        "INDEX": index,
    }.get(value, value)
    refused(tool("index", "build", *(part for pair in arguments.items() for part in pair)), parts)
    assert not [path.name for path in tmp_path.iterdir() if "new" in path.name]


@pytest.mark.parametrize(
    "words, message", [(np.nan, "no piece of the vocabulary scores above 0"), (3e38, "scores are not finite")]
)
def test_diverged_model_leaves_nothing(tool, checkpoint_with, own_data, tmp_path, words, message):
    refused(
        tool("index", "build", "--checkpoint", checkpoint_with(words), "--data", own_data, "--out", tmp_path / "new"),
        [message],
    )
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


@pytest.mark.parametrize(
    "arguments, parts",
    [
        (["search", "--mode", "cascade", "red", "--index"], ["an inverted index, which takes a text and -k only"]),
        (["search", "--image", "test-00001", "--data", "DATA", "--index"], ["an inverted index, which takes a text"]),
        (["index", "add"], ["not an index of fragments"]),
        (["index", "delete", "--ids", "DATA/vocab.txt"], ["not an index of fragments"]),
        (["index", "compact"], ["not an index of fragments"]),
    ],
)
def test_what_an_inverted_index_does_not_do(tool, index, tiny_data, arguments, parts):
    refused(tool(*(argument.replace("DATA", str(tiny_data)) for argument in arguments), index), [index, *parts])


def narrow(data):
    """Cut the regions of a data set to three dimensions."""
    meta = json.loads((data / "meta.json").read_text())
    (data / "files.json").unlink()
    regions = np.load(data / "regions.npy")[..., :3]
    np.save(data / "regions.npy", regions)
    (data / "meta.json").write_text(json.dumps({**meta, "regions_shape": list(regions.shape)}))


def refused(result, parts):
    """One line on standard error that holds all the parts, and exit code 2."""
    code, _, stderr = result
    assert code == 2 and stderr.startswith("error: ") and stderr.count("\n") == 1, stderr
    for part in parts:
        assert str(part) in stderr
