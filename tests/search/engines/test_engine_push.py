"""After a push an engine holds what the index holds, whatever was there and wherever the last push stopped."""

import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.search.engines import Pushed, QdrantEngine, push_index, qdrant
from inflate_shrink.search.engines.content import blocks
from inflate_shrink.search.index import IndexWriter


def held(engine):
    """Source and digest of every item that an engine holds."""
    points, _ = engine._client.scroll(engine.collection, limit=1000)
    return {point.payload["id"]: (point.payload["source"], point.payload["digest"]) for point in points}


def of(index, source):
    return {item.id: (source, item.digest) for block in blocks(index) for item in block}


def test_add_change_delete_and_push_again(engine, make_index, random_items):
    index = make_index("abcde")
    assert push_index(index, engine) == Pushed(5, 0, 0, 0)
    assert held(engine) == of(index, "mine")
    with IndexWriter(index.directory) as writer:
        writer.delete("ab")
        writer.add(*random_items("bfg"))
        writer.commit()
    index.refresh()
    assert push_index(index, engine) == Pushed(2, 1, 3, 1)
    assert held(engine) == of(index, "mine")
    assert push_index(index, engine) == Pushed(0, 0, 6, 0)


def test_compaction_sends_nothing(engine, make_index, random_items, monkeypatch):
    index = make_index("ab")
    push_index(index, engine)
    with IndexWriter(index.directory) as writer:
        writer.delete("a")
        writer.add(*random_items("a"))
        writer.commit()
        index.refresh()
        push_index(index, engine)
        writer.compact()
        writer.commit()
    index.refresh()
    monkeypatch.setattr(engine._client, "upsert", None)
    assert push_index(index, engine) == Pushed(0, 0, 2, 0)


def test_push_that_was_stopped_goes_on(engine, make_index, random_items, monkeypatch):
    index = make_index("xy")
    push_index(index, engine)
    with IndexWriter(index.directory) as writer:
        writer.delete("xy")
        writer.add(*random_items("abcdefgh"))
        writer.commit()
    index.refresh()
    monkeypatch.setattr(qdrant, "_NUMBERS", 1)  # a request for each item
    upsert, sent = engine._client.upsert, []

    def stops(collection, points, **keys):
        if len(sent) == 3:
            raise KeyboardInterrupt
        sent.append(points)
        return upsert(collection, points, **keys)

    monkeypatch.setattr(engine._client, "upsert", stops)
    with pytest.raises(KeyboardInterrupt):
        push_index(index, engine)
    assert engine.count() == 5 and engine.state("mine") == ""
    monkeypatch.setattr(engine._client, "upsert", upsert)
    assert push_index(index, engine) == Pushed(5, 0, 3, 2)
    assert held(engine) == of(index, "mine")


def test_points_that_were_lost_are_sent_again(engine, make_index):
    index = make_index("abc")
    push_index(index, engine)
    engine._client.delete("photos", qdrant._point_ids("b"))
    assert push_index(index, engine) == Pushed(1, 0, 2, 0)


def test_two_indexes_share_a_collection(engine, make_index):
    one, two = make_index("abc", "one"), make_index("cd", "two")
    push_index(one, engine)
    assert push_index(two, engine) == Pushed(1, 1, 0, 0)
    assert held(engine) == {**of(one, "one"), **of(two, "two")}
    with IndexWriter(one.directory) as writer:
        writer.delete("ac")
        writer.commit()
    one.refresh()
    assert push_index(one, engine) == Pushed(0, 0, 1, 1)  # c is the other's
    assert sorted(held(engine)) == ["b", "c", "d"]


def test_all_items_deleted(engine, make_index):
    index = make_index("abc")
    push_index(index, engine)
    with IndexWriter(index.directory) as writer:
        writer.delete("abc")
        writer.commit()
    index.refresh()
    assert push_index(index, engine) == Pushed(0, 0, 0, 3)
    with pytest.raises(InputError, match="is empty; there is nothing to push"):
        engine.drop()
        push_index(index, engine)


def test_directory_is_there_in_the_next_process(engine, make_index, tmp_path):
    index = make_index("abc")
    with QdrantEngine(tmp_path / "engine", "photos", create=True) as first:
        push_index(index, first)
    with QdrantEngine(tmp_path / "engine", "photos") as second:
        assert held(second) == of(index, "mine")
        assert push_index(index, second) == Pushed(0, 0, 3, 0)


@pytest.mark.parametrize(
    "other, message",
    [
        ({"model": "I"}, "an index of another model"),
        ({"items": "captions", "most": 1}, "images, fragments of 6 dimensions, vector of 6 dimensions; the index has captions, fragments of 6"),
        ({"vector": False}, "an index of another model"),
    ],
)
def test_index_of_another_model(engine, make_index, other, message):
    push_index(make_index("abc"), engine)
    before = held(engine)
    with pytest.raises(InputError, match=message):
        push_index(make_index("ab", "other", **other), engine)
    assert held(engine) == before


def test_layouts_that_do_not_fit(engine, make_index):
    with pytest.raises(InputError, match="captions of several fragments"):
        push_index(make_index("abcdef", "captions", items="captions"), engine)
    push_index(make_index("abc", "one", most=1), engine)
    with pytest.raises(InputError, match="holds one fragment an item"):
        push_index(make_index("abcdef", "more"), engine)
