"""tools/rerank.py and tools/eval.py on cross-BERTs, as a user runs them."""

import json

import pytest


@pytest.fixture(scope="module")
def joint(trained):
    return trained("model.joint=true", "loss.candidates=2")


def test_rerank(run_tool, joint, tmp_path):
    code, stdout, stderr = run_tool(
        "rerank", "--retriever", joint, "--reranker", joint, "-n", 2, 5, "--json", tmp_path / "r.json"
    )
    assert code == 0, stderr
    result = json.loads((tmp_path / "r.json").read_text())
    assert [row["n"] for row in result["rerank"]] == [0, 2, 5]
    assert f"{result['rerank'][1]['t2i']['r1']:.1f}/" in stdout.splitlines()[2]


def test_cost_of_every_pair(run_tool, joint):
    code, stdout, stderr = run_tool("eval", "--checkpoint", joint, "--cross", "--images", 3)
    assert code == 0, stderr
    assert "3 images, 15 captions; 45 pairs in " in stdout and "all 500 of the split would take" in stdout


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--reranker", "RUN", "-n", 11], "11 candidates cannot be reranked of 10 images"),
        (["--reranker", "missing"], "missing: no such checkpoint"),
    ],
)
def test_bad_input_is_one_line(run_tool, joint, arguments, message):
    code, stdout, stderr = run_tool("rerank", "--retriever", joint, *[joint if a == "RUN" else a for a in arguments])
    assert (code, stdout, stderr.count("\n")) == (2, "", 1)
    assert message in stderr
