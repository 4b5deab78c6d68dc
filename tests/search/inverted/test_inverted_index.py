"""Searching an index whose scores are known."""

import json
import subprocess
import sys

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.search.inverted.files import write_file_list
from inflate_shrink.search.inverted.index import FILES, InvertedIndex, counted_pieces


def found(hits):
    return [(hit.rank, hit.id, hit.score) for hit in hits]


@pytest.mark.parametrize(
    "query, expected",
    [
        ("red", [(1, "b", 2), (2, "a", 0.5), (3, "c", 0.5)]),  # a before c: the order of the index
        ("Ball, RED", [(1, "b", 2), (2, "a", 1.5), (3, "c", 0.75)]),
        ("ball red ball", [(1, "a", 2.5), (2, "b", 2), (3, "c", 1)]),  # twice counts twice
        ("red zebra never", [(1, "b", 2), (2, "a", 0.5), (3, "c", 0.5)]),  # an unknown word adds nothing
        ("box", [(1, "c", 1), (2, "a", 0), (3, "b", 0)]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_by_hand(make_index, query, expected, dtype):
    assert found(make_index(dtype=dtype).search(query)) == expected


def test_as_many_as_there_are(make_index):
    index = make_index()
    assert len(index) == 3
    assert [len(index.search("red", k)) for k in (1, 2, 3, 4, 99)] == [1, 2, 3, 3, 3]
    assert [hit.file for hit in index.search("red")] == ["/photos/1.jpg", "", "/photos/2.jpg"]


@pytest.mark.parametrize(
    "query, k, message",
    [
        ("", 1, "the query is empty"),
        (" \t", 1, "the query is empty"),
        ("zebra", 1, "with a word of the query 'zebra'"),
        ("never", 1, "no image scores"),
        ("red", 0, "k must be 1 or more, found 0"),
    ],
)
def test_refused(make_index, query, k, message):
    with pytest.raises(InputError, match=message):
        make_index().search(query, k)


def test_an_unknown_word_counts_as_it_does_for_the_model_but_not_alone(make_index):
    index = make_index([[0, 3, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 2, 0, 0, 0]])
    assert found(index.search("red zebra")) == [(1, "a", 4), (2, "b", 2)]
    with pytest.raises(InputError, match="'zebra'"):
        index.search("zebra")


def test_a_long_query_is_cut_as_the_model_cuts_it(make_index):
    index = make_index()
    assert index.pieces("red " * 50).tolist() == [4] * 6  # of 8 positions
    assert found(index.search("red " * 50, 1)) == [(1, "b", 12)]


@pytest.mark.parametrize(
    "ids, expected",
    [
        ([2, 7, 8, 3, 0, 0], [7, 8]),
        ([2, 7, 8, 9, 10, 3], [7, 8, 9, 10]),
        ([1, 7, 3, 0, 0, 0], [7]),
        ([2, 3, 0, 0, 0, 0], []),
    ],
)
def test_pieces_that_count(ids, expected):
    assert counted_pieces(np.array(ids)).tolist() == expected


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kind": "late_interaction"}, "this version searches"),
        ({"format": 2}, "this version searches"),
        ({"images": 4}, "images.tsv: holds 3 images, meta.json says 4"),
        ({"postings": 7}, "posting_images.npy: holds"),
        ({"postings": "7"}, "postings: expected a whole number from 1, found '7'"),
        ({"dtype": "object"}, "dtype: expected 'float32' or 'float16', found 'object'"),
        ({"tokenizer": {"text_length": 10**12}}, "tokenizer.text_length: expected a whole number from 1 to 65536"),
        ({"data": {}}, "data.directory: it is missing"),
        ({"model": None}, "model: expected a mapping, found None"),
    ],
)
def test_another_index(make_index, change, message):
    directory = make_index().directory
    path = directory / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    write_file_list(directory, FILES)
    with pytest.raises(InputError, match=message):
        InvertedIndex(directory)


@pytest.mark.parametrize("image", [10**6, -1])
def test_a_posting_of_no_image(make_index, image):
    index = make_index()
    images = np.load(index.directory / "posting_images.npy", mmap_mode="r+")
    images[0] = image  # since it was opened, or in a file too large to be checked then
    with pytest.raises(InputError, match="info --verify"):
        index.search("red")


@pytest.mark.parametrize("name, damage, message", [
    ("offsets.npy", lambda path: np.save(path, np.load(path)[::-1]), "offsets.npy: does not ascend from 0 to 6 postings"),
    ("images.tsv", lambda path: path.write_bytes(path.read_bytes()[:-3] + b"\xff\xff\n"), "images.tsv: not UTF-8"),
    ("vocab.txt", lambda path: path.write_text(path.read_text() + "more\nstill\n"), "vocab.txt: .* pieces, meta.json says"),
])  # fmt: skip
def test_damage_with_a_right_checksum(make_index, name, damage, message):
    directory = make_index().directory
    damage(directory / name)
    write_file_list(directory, FILES)
    with pytest.raises(InputError, match=message):
        InvertedIndex(directory)


def test_what_the_model_does_not_read_is_said(make_index):
    index = make_index()
    assert index.remarks("red red") == []
    unknown, cut = index.remarks("Red zebra " * 20)
    assert (
        unknown == "not in the vocabulary, and read as an unknown word: zebra" and "longer than the 8 positions" in cut
    )


@pytest.mark.parametrize("options", [{"mode": "cascade"}, {"only": ["a"]}, {"rerank": len}, {"candidates": 5}])
def test_options_that_it_has_not(make_index, options):
    with pytest.raises(InputError, match="an inverted index, which takes a text and -k only"):
        make_index().search("red", 1, **options)


def test_describe(make_index):
    lines = make_index().describe().splitlines()
    assert "3 images" in lines[0] and "6 (float32, all above 0), 2.0 an image; 3 of 8 pieces" in lines[1]
    assert "made up" in lines[2] and "data/none, all images" in lines[3]


def test_describe_a_cut_index(make_index):
    assert "3 (float16, the best 1 of an image)" in make_index(top=1, dtype="float16").describe()


def test_searching_loads_no_model():
    code = (
        "import sys, inflate_shrink.search.inverted.index; "
        "sys.exit(bool({'paddle', 'inflate_shrink.model', 'inflate_shrink.engine'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
