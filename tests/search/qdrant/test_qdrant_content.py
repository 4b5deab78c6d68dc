"""What leaves an index for Qdrant."""

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import encode_rows
from inflate_shrink.search.index import FieldSettings, IndexSettings, IndexWriter, create_index, open_index
from inflate_shrink.search.qdrant.content import blocks, fingerprint, has_one_fragment, pushed_fields, state


def origin(weights, data="photos", **first):
    return {"model": {"name": data, "checkpoint": data, "fingerprint": weights}, **first, "data": {"image_root": data}}


def settings(**changes):
    fields = {
        "fragments": FieldSettings("int8", 4),
        "codes": FieldSettings("uint16", 1),
        "vector": FieldSettings("int8", 4),
    }
    return IndexSettings(**{"holds": "images", "fields": fields, "origin": origin("B"), **changes})


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_live_items_as_they_are_stored(make_index, random_items, precision):
    index = make_index("abcd", precision=precision)
    with IndexWriter(index.directory) as writer:
        writer.delete("b")
        writer.commit()
    index.refresh()
    items = [item for block in blocks(index) for item in block]
    assert [(item.id, item.file) for item in items] == [("a", "a.jpg"), ("c", "c.jpg"), ("d", "d.jpg")]
    rows = index.segments[0].stored("fragments")
    for item, number in zip(items, (0, 2, 3)):
        part = slice(rows.offsets[number], rows.offsets[number + 1])
        assert {field: vectors.dtype for field, vectors in item.vectors.items()} == {
            "fragments": np.float32,
            "vector": np.float32,
        }
        values, _ = encode_rows(item.vectors["fragments"], precision)  # decoded rows encode to the same
        np.testing.assert_array_equal(values, rows.values[part])


def test_digest_tells_every_change(make_index):
    digests = lambda index: {item.id: item.digest for block in blocks(index) for item in block}  # noqa: E731
    first = digests(make_index("ab"))
    assert len(set(first.values())) == 2
    index = make_index("ab", "again")  # other vectors
    assert not set(digests(index).values()) & set(first.values())
    with IndexWriter(index.directory) as writer:
        writer.compact()
        writer.commit()
    before = digests(index)
    index.refresh()
    assert digests(index) == before


def test_fingerprint_is_of_model_side_and_dimensions():
    same = fingerprint(settings())
    narrow = {"fragments": FieldSettings("int8", 3), "vector": FieldSettings("int8", 4)}
    others = [
        settings(holds="captions"),
        settings(origin=origin("I")),
        settings(origin=origin("B", first={"fingerprint": "B-F"})),
        settings(fields=narrow),
    ]
    assert len({same, *map(fingerprint, others)}) == 5
    finer = {"fragments": FieldSettings("float32", 4), "vector": FieldSettings("int8", 4)}
    assert fingerprint(settings(fields=finer)) == fingerprint(settings(origin=origin("B", "elsewhere"))) == same


def test_fields():
    assert pushed_fields(settings()) == {"fragments": 4, "vector": 4}
    with pytest.raises(InputError, match="without the field fragments"):
        pushed_fields(settings(fields={"vector": FieldSettings("int8", 4)}))


def test_state_changes_with_each_commit_and_between_indexes(make_index):
    index = make_index("ab")
    seen = {state(index), state(make_index("ab", "twin"))}
    with IndexWriter(index.directory) as writer:
        writer.delete("b")
        writer.commit()
    index.refresh()
    assert len(seen | {state(index)}) == 3


def test_files_have_their_directory(tmp_path):
    create_index(
        tmp_path / "index", IndexSettings("images", {"fragments": FieldSettings("float32", 1)}, origin("B", "/photos"))
    )
    with IndexWriter(tmp_path / "index") as writer:
        writer.add(["a", "b"], ["a.jpg", ""], {"fragments": (np.ones((2, 1), np.float32), [1, 1])})
        writer.commit()
    assert [item.file for block in blocks(open_index(tmp_path / "index")) for item in block] == ["/photos/a.jpg", ""]


def test_one_fragment(make_index):
    assert has_one_fragment(make_index("ab", "F", most=1))
    assert not has_one_fragment(make_index("abcdef", "B"))
