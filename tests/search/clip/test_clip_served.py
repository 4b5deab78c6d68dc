"""The page's service over an index of a CLIP: nothing of it is special there."""

import pytest

pytest.importorskip("fastapi")
from inflate_shrink.serve.app import build_app
from inflate_shrink.serve.collection import open_collection


@pytest.fixture(scope="module")
def client(index, tokens_index):
    from starlette.testclient import TestClient

    collection = open_collection([index, tokens_index], threads=1)
    collection.warm_up()
    assert not collection.indexes[0].notes  # photos are no data set that is missed
    with TestClient(build_app(collection, "colours"), base_url="http://localhost") as client:
        yield client


def test_ways(client):
    ways = client.get("/about").json()["ways"]
    assert [(way["label"], way["mode"]) for way in ways] == [
        ("colours", "exact"),
        ("colours, first one vector", "cascade"),
        ("colours exact", "exact"),
    ]
    assert all(way["by_text"] and way["by_photo"] and not way["match"] and not way["attention"] for way in ways)


@pytest.mark.parametrize("way", ["0:exact", "1:cascade", "1:exact"])
def test_words_photos_and_the_like(client, photos, way):
    hits = client.post("/search", json={"query": "green", "way": way, "k": 2}).json()["hits"]
    assert hits[0]["id"] == "green.png" and client.get(hits[0]["photo"]).status_code == 200
    data = (photos / "blue.png").read_bytes()
    found = client.post("/search/image", files={"photo": data}, data={"way": way}).json()["hits"]
    assert found[0]["id"] in (["blue.png"] if way[0] == "0" else ["blue.png", "more/both.png", "more/other.png"])
    assert client.post("/search/image", data={"like": "red.png", "way": way}).status_code == 200
    assert client.get(f"/attention/red.png?way={way}&query=red&side=text").status_code == 404
