"""tools/index.py on an index of fragments: items added and deleted, several writers, and what is damaged."""

import os
import shutil

import pytest
from search_results import ids, refused

from inflate_shrink.lock import take_lock
from inflate_shrink.search.index import IndexWriter, open_index, writer

pytestmark = pytest.mark.slow


@pytest.fixture
def own(indexes, tmp_path):
    """A copy of the index with an F that a test may change."""
    return shutil.copytree(indexes("first"), tmp_path / "index")


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
