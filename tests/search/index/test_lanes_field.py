"""A field of one vector an item, 16 items side by side: commits, merges and compaction, and a damaged manifest."""

import json
import zlib

import numpy as np
import pytest

from index_changes import files_in, named_in
from inflate_shrink.errors import InputError
from inflate_shrink.kernel.lanes import decode_lanes
from inflate_shrink.search.index import (
    FieldSettings,
    IndexSettings,
    IndexWriter,
    create_index,
    open_index,
    verify_index,
)


def vector_of(item):
    """One that 4 bits keep exactly."""
    return np.array((7.0, item % 7, -(item % 5)))


def add(writer, *items):
    vectors = np.array([vector_of(item) for item in items])
    writer.add([str(item) for item in items], [""] * len(items), {"fitted": (vectors, [1] * len(items))})


@pytest.fixture(params=["int8x16", "int4x16"])
def empty(tmp_path, request):
    create_index(tmp_path / "index", IndexSettings("images", {"fitted": FieldSettings(request.param, 3)}))
    return tmp_path / "index"


def read(directory):
    found = {}
    for segment in open_index(directory).segments:
        stored = segment.stored("fitted")
        assert stored.words.ctypes.data % 64 == 0 and len(stored) == len(segment)
        vectors = decode_lanes(stored, np.arange(len(segment)))
        found.update(
            (int(item), vector)
            for row, (item, vector) in enumerate(zip(segment.ids, vectors))
            if segment.deleted is None or not segment.deleted[row]
        )
    return found


def test_vectors_after_additions_deletions_and_compaction(empty):
    with IndexWriter(empty) as writer:
        add(writer, *range(5))
        add(writer, *range(5, 40))  # in the middle of a block, and over two
        writer.commit()
        for begin in range(40, 60, 4):  # commits that are merged
            writer.delete([str(begin - 1)])
            add(writer, *range(begin, begin + 4))
            writer.commit()
        writer.compact()
        writer.commit()
    found = read(empty)
    assert sorted(found) == [item for item in range(60) if item not in (39, 43, 47, 51, 55)]
    for item, vector in found.items():
        np.testing.assert_allclose(vector, vector_of(item), atol=0.03)
    verify_index(empty)
    assert files_in(empty) == named_in(empty)
    assert json.loads((empty / "manifest.json").read_text())["format"] == 2  # which older versions refuse by name


def test_an_item_has_one_vector(empty):
    with IndexWriter(empty) as writer, pytest.raises(InputError, match="item 'b': field fitted: has more than one"):
        writer.add(["a", "b"], ["", ""], {"fitted": (np.ones((3, 3)), [1, 2])})


def test_a_manifest_whose_items_have_several_is_damaged(empty):
    with IndexWriter(empty) as writer:
        add(writer, 1)
        writer.commit()
    path = empty / "manifest.json"
    text = path.read_text().replace('"rows_per_item": {\n    "fitted": 1\n   }', '"rows_per_item": {}')
    body = text[: text.rindex(',\n "crc32"')]
    assert body not in path.read_text()
    path.write_text(body + f',\n "crc32": "{zlib.crc32(body.encode()):08x}"\n}}\n')
    with pytest.raises(InputError, match="fitted does not hold one vector an item"):
        open_index(empty)
