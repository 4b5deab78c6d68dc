import base64

import numpy as np
import pytest


@pytest.mark.parametrize("plain", [False, True])
def test_both_forms(tmp_path, read, oscar_line, plain):
    (tmp_path / "features.tsv").write_bytes(oscar_line(7, 2, plain) + b"\n" + oscar_line("a/b", 1, plain) + b"\tmore\n")
    found, _ = read("oscar", tmp_path / "features.tsv")
    assert list(found) == ["7", "a/b"]
    regions = found["7"]
    assert regions.features.shape == (2, 2048) and (regions.features == 1).all() and regions.features.flags.c_contiguous
    assert np.allclose(regions.boxes, [[0.1, 0.2, 0.3, 0.4]] * 2)
    assert regions[2:5] == (0, 0, "")


BAD = {
    "one field": (lambda line: b"bad", "expected at least 2 tab-separated fields"),
    "neither form": (lambda line: b"bad\tAAAA", "the second not JSON"),
    "JSON": (lambda line: b'bad\t{"num_boxes": 1', "not valid JSON"),
    "deep JSON": (lambda line: b'bad\t{"a":' + b"[" * 5_000, "not valid JSON"),
    "no features": (lambda line: line("bad", 1, features=None), "num_boxes and a base64 text features"),
    "count is a text": (lambda line: line("bad", 1, num_boxes="1"), "a whole number num_boxes"),
    "count is true": (lambda line: line("bad", 1, num_boxes=True), "a whole number num_boxes"),
    "no boxes": (lambda line: line("bad", 1, num_boxes=0), "num_boxes to be a whole number above 0"),
    "another count": (
        lambda line: line("bad", 2, num_boxes=1),
        "features holds 16432 bytes, expected 8216 for 1 boxes",
    ),
    "another count, plain": (lambda line: line("bad", 2, True).replace(b"\t2", b"\t3"), "expected 24648"),
    "base64": (lambda line: line("bad", 1, features="\u00e9\ud800"), "not valid base64"),
    "NaN": (
        lambda line: line("bad", 1, features=base64.b64encode(b"\0\0\xc0\x7f" * 2054).decode()),
        "features contain NaN",
    ),
    "id": (lambda line: line("/bad", 1), "cannot be used"),
}


@pytest.mark.parametrize("make, says", BAD.values(), ids=BAD)
def test_bad_line(tmp_path, read, refused, oscar_line, make, says):
    path = tmp_path / "features.tsv"
    path.write_bytes(b"\n".join([oscar_line(1, 1), make(oscar_line), oscar_line(3, 1), b""]))
    refused("oscar", path, says=[f"{path}: line 2: ", says])
    found, bad = read("oscar", path, skip=True)
    assert list(found) == ["1", "3"] and bad == 1


def test_truncated(tmp_path, read, refused, oscar_line):
    path = tmp_path / "features.tsv"
    path.write_bytes((oscar_line(1, 1, True) + b"\n" + oscar_line(2, 1, True))[:-5])
    refused("oscar", path, says=["line 2: features is not valid base64", "cut short"])
    assert list(read("oscar", path, skip=True)[0]) == ["1"]


def test_json_of_many_parts_does_not_fill_the_memory(tmp_path, refused, oscar_line):
    (tmp_path / "features.tsv").write_bytes(oscar_line(1, 1, more=[[]] * 10_000))
    refused("oscar", tmp_path / "features.tsv", says=["line 1: JSON of", "more than the limit of 10000"])


def test_pickle_is_refused(tmp_path, refused):
    (tmp_path / "train.pt").write_bytes(b"PK")
    refused("oscar", tmp_path / "train.pt", says=["train.pt", "pickles", "export the features as TSV"])
