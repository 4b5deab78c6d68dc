"""After a push a collection holds what the index holds, whatever was there and wherever the last push stopped."""

import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.search.index import IndexWriter
from inflate_shrink.search.qdrant import Pushed, QdrantCollection, push_index
from inflate_shrink.search.qdrant import collection as module
from inflate_shrink.search.qdrant.content import blocks


def held(collection):
    """Source and digest of every item that a collection holds."""
    points, _ = collection._client.scroll(collection.name, limit=1000)
    return {point.payload["id"]: (point.payload["source"], point.payload["digest"]) for point in points}


def of(index, source):
    return {item.id: (source, item.digest) for block in blocks(index) for item in block}


def test_add_change_delete_and_push_again(collection, make_index, random_items):
    index = make_index("abcde")
    assert push_index(index, collection) == Pushed(5, 0, 0, 0)
    assert held(collection) == of(index, "mine")
    with IndexWriter(index.directory) as writer:
        writer.delete("ab")
        writer.add(*random_items("bfg"))
        writer.commit()
    index.refresh()
    assert push_index(index, collection) == Pushed(2, 1, 3, 1)
    assert held(collection) == of(index, "mine")
    assert push_index(index, collection) == Pushed(0, 0, 6, 0)


def test_compaction_sends_nothing(collection, make_index, random_items, monkeypatch):
    index = make_index("ab")
    push_index(index, collection)
    with IndexWriter(index.directory) as writer:
        writer.delete("a")
        writer.add(*random_items("a"))
        writer.commit()
        index.refresh()
        push_index(index, collection)
        writer.compact()
        writer.commit()
    index.refresh()
    monkeypatch.setattr(collection._client, "upsert", None)
    assert push_index(index, collection) == Pushed(0, 0, 2, 0)


def test_push_that_was_stopped_goes_on(collection, make_index, random_items, monkeypatch):
    index = make_index("xy")
    push_index(index, collection)
    with IndexWriter(index.directory) as writer:
        writer.delete("xy")
        writer.add(*random_items("abcdefgh"))
        writer.commit()
    index.refresh()
    monkeypatch.setattr(module, "_NUMBERS", 1)  # a request for each item
    upsert, sent = collection._client.upsert, []

    def stops(collection, points, **keys):
        if len(sent) == 3:
            raise KeyboardInterrupt
        sent.append(points)
        return upsert(collection, points, **keys)

    monkeypatch.setattr(collection._client, "upsert", stops)
    with pytest.raises(KeyboardInterrupt):
        push_index(index, collection)
    assert collection.count() == 5 and collection.state("mine") == ""
    monkeypatch.setattr(collection._client, "upsert", upsert)
    assert push_index(index, collection) == Pushed(5, 0, 3, 2)
    assert held(collection) == of(index, "mine")


def test_points_that_were_lost_are_sent_again(collection, make_index):
    index = make_index("abc")
    push_index(index, collection)
    collection._client.delete("photos", module._point_ids("b"))
    assert push_index(index, collection) == Pushed(1, 0, 2, 0)


def test_two_indexes_share_a_collection(collection, make_index):
    one, two = make_index("abc", "one"), make_index("cd", "two")
    push_index(one, collection)
    assert push_index(two, collection) == Pushed(1, 1, 0, 0)
    assert held(collection) == {**of(one, "one"), **of(two, "two")}
    with IndexWriter(one.directory) as writer:
        writer.delete("ac")
        writer.commit()
    one.refresh()
    assert push_index(one, collection) == Pushed(0, 0, 1, 1)  # c is the other's
    assert sorted(held(collection)) == ["b", "c", "d"]


def test_all_items_deleted(collection, make_index):
    index = make_index("abc")
    push_index(index, collection)
    with IndexWriter(index.directory) as writer:
        writer.delete("abc")
        writer.commit()
    index.refresh()
    assert push_index(index, collection) == Pushed(0, 0, 0, 3)
    with pytest.raises(InputError, match="is empty; there is nothing to push"):
        collection.drop()
        push_index(index, collection)


def test_directory_is_there_in_the_next_process(collection, make_index, tmp_path):
    index = make_index("abc")
    with QdrantCollection(tmp_path / "collection", "photos", create=True) as first:
        push_index(index, first)
    with QdrantCollection(tmp_path / "collection", "photos") as second:
        assert held(second) == of(index, "mine")
        assert push_index(index, second) == Pushed(0, 0, 3, 0)


@pytest.mark.parametrize(
    "other, message",
    [
        ({"model": "I"}, "an index of another model"),
        (
            {"holds": "captions", "most": 1},
            "images, fragments of 6 dimensions, vector of 6 dimensions; the index has captions, fragments of 6",
        ),
        ({"vector": False}, "an index of another model"),
    ],
)
def test_index_of_another_model(collection, make_index, other, message):
    push_index(make_index("abc"), collection)
    before = held(collection)
    with pytest.raises(InputError, match=message):
        push_index(make_index("ab", "other", **other), collection)
    assert held(collection) == before


def test_layouts_that_do_not_fit(collection, make_index):
    with pytest.raises(InputError, match="captions of several fragments"):
        push_index(make_index("abcdef", "captions", holds="captions"), collection)
    push_index(make_index("abc", "one", most=1), collection)
    with pytest.raises(InputError, match="holds one fragment an item"):
        push_index(make_index("abcdef", "more"), collection)
