"""tools/push.py as a user calls it."""

import numpy as np
import pytest

from inflate_shrink.search.index import FieldSettings, IndexSettings, IndexWriter, create_index


@pytest.fixture
def index(tmp_path):
    directory = tmp_path / "photos"
    create_index(directory, IndexSettings("images", {"fragments": FieldSettings("int8", 2)}, {}))
    with IndexWriter(directory) as writer:
        writer.add(["a", "b"], ["a.jpg", ""], {"fragments": (np.eye(2, dtype=np.float32)[[0, 0, 1]], [2, 1])})
        writer.commit()
    return directory


@pytest.mark.slow
def test_push_and_search(run_tool, index, tmp_path):
    pytest.importorskip("qdrant_client", reason="Qdrant's client is not installed: pip install inflate-shrink[qdrant]")
    from inflate_shrink.search.qdrant import QdrantCollection

    place = tmp_path / "engine"
    for counts in ("2 new, 0 changed, 0 unchanged, 0 deleted", "0 new, 0 changed, 2 unchanged, 0 deleted"):
        code, stdout, stderr = run_tool("push", "--index", index, "--to", place)
        assert (code, stderr) == (0, "") and stdout == f"{place}: collection photos holds 2 images: {counts}\n"
    with QdrantCollection(place, "photos") as engine:
        hits = engine.search(np.array([[1, 0], [0.6, 0.8]], np.float32))
    assert [(hit.id, hit.file) for hit in hits] == [("a", "a.jpg"), ("b", "")]
    assert [hit.score for hit in hits] == pytest.approx([1.6, 0.8])
    code, stdout, stderr = run_tool("push", "--index", index, "--to", place, "--replace")
    assert code == 0 and "2 new" in stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--index", "nowhere", "--to", "engine"], "nowhere: no such index"),
        (["--index", "INDEX", "--to", "INDEX"], "is not a directory of embedded Qdrant"),
        (["--index", "INDEX", "--to", "http://127.0.0.1:1"], "http://127.0.0.1:1: no answer from Qdrant"),
    ],
)
def test_one_line_for_bad_input(run_tool, index, arguments, message):
    pytest.importorskip("qdrant_client", reason="Qdrant's client is not installed: pip install inflate-shrink[qdrant]")
    code, stdout, stderr = run_tool(
        "push", *(str(index) if argument == "INDEX" else argument for argument in arguments)
    )
    assert (code, stdout) == (2, "") and message in stderr and stderr.count("\n") == 1 and stderr.startswith("error: ")
