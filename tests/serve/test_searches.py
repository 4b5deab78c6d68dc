"""POST /search and POST /search/image: what the index's searcher answers, in pages, and a sentence for what it cannot."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.extract.decode import open_photo

QUERY = "a red ball left of a box"


@pytest.fixture
def ask(client):
    def ask(**values):
        answer = client.post("/search", json={"query": QUERY, **values})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


def ids(answer):
    return [hit["id"] for hit in answer["hits"]]


@pytest.mark.parametrize("mode", ["cascade", "exact"])
def test_hits_are_those_of_the_searcher(ask, collection, tiny_data, mode):
    expected = collection.indexes[0].searcher.search(QUERY, 5, mode)
    answer = ask(way=f"0:{mode}", k=5)
    assert [(hit["rank"], hit["id"], hit["score"]) for hit in answer["hits"]] == [
        (hit.rank, hit.id, hit.score) for hit in expected
    ]
    assert answer["way"] == f"0:{mode}" and answer["items"] == 42 and answer["more"]
    assert min(answer["times"].values()) >= 0 and answer["notes"] == []
    first, store = answer["hits"][0], open_store(tiny_data)
    assert first["photo"] == f"/images/{first['id']}?way=0%3A{mode}" and first["text"] == ""
    row = store.image_ids.index(first["id"])
    assert first["alt"] == store.captions[store.caption_rows.tolist().index(row)]


def test_pages_follow_each_other(ask, collection):
    whole = [hit.id for hit in collection.indexes[0].searcher.search(QUERY, 42, "exact")]
    first, second, beyond = (ask(way="0:exact", k=24, offset=offset) for offset in (0, 24, 48))
    assert ids(first) + ids(second) == whole and [first["more"], second["more"]] == [True, False]
    assert [hit["rank"] for hit in second["hits"]] == list(range(25, 43))
    assert ids(beyond) == [] and not beyond["more"]


def test_what_an_id_contains_chooses(ask, collection):
    whole = [hit.id for hit in collection.indexes[0].searcher.search(QUERY, 42, "exact")]
    assert ids(ask(way="0:exact", contains="VAL-", k=10)) == [name for name in whole if "val-" in name]
    answer = ask(contains="no such")
    assert answer["hits"] == [] and not answer["more"]


def test_a_recall_and_a_number_of_candidates_reach_the_cascade(ask, collection):
    searcher = collection.indexes[0].searcher
    expected = [hit.id for hit in searcher.search(QUERY, 3, "cascade", candidates=4)]
    assert ids(ask(k=3, candidates=4)) == expected
    assert ids(ask(k=3, recall=1.0)) == [hit.id for hit in searcher.search(QUERY, 3, "exact")]


def test_what_the_model_does_not_read_is_said(ask):
    assert ask(query="a red axolotl")["notes"] == ["not in the vocabulary, and read as an unknown word: axolotl"]


def test_like_an_image(client, collection):
    expected = collection.indexes[0].searcher.search_like("test-00003", 4, "exact")
    answer = client.post("/search/image", data={"like": "test-00003", "k": 4, "way": "0:exact"}).json()
    assert ids(answer) == [hit.id for hit in expected]
    assert client.post("/search/image", data={"like": "test-9"}).status_code == 404


def test_captions_of_an_image_of_the_data(client, collection, tiny_data):
    store = open_store(tiny_data)
    regions, counts = store.read_regions([store.image_ids.index("val-00001")])
    expected = collection.indexes[1].searcher.search_image(regions[0, : counts[0]], 3)
    answer = client.post("/search/image", data={"like": "val-00001", "k": 3, "way": "1:exact"}).json()
    assert [(hit["id"], hit["text"]) for hit in answer["hits"]] == [(hit.id, hit.file) for hit in expected]
    assert answer["hits"][0]["photo"] == f"/images/{expected[0].id.replace('#', '%23')}?way=1%3Aexact"
    assert client.get(answer["hits"][0]["photo"]).headers["content-type"] == "image/jpeg"
    assert client.post("/search/image", data={"like": "nothing", "way": "1:exact"}).status_code == 404


def test_a_photo_is_described_and_searched_with(client, collection, tiny_data, monkeypatch):
    """The networks are tried in tests/tools/test_search_photo.py; here they are one that knows the photo by its size."""
    store = open_store(tiny_data)
    regions, counts = store.read_regions([7])
    regions = regions[0, : counts[0]]

    def describe(data, where):
        assert open_photo(data, where).width == store.image_sizes[7][0]
        return regions

    captions = collection.indexes[1]
    monkeypatch.setattr(type(captions), "describes_photos", True)
    monkeypatch.setattr("inflate_shrink.search.photos.open_describer", lambda index, *networks: describe)
    photo = {"photo": ("dog.png", store.image_path(7).read_bytes(), "image/png")}
    for number, way in enumerate(("0:exact", "1:exact")):
        monkeypatch.setattr(collection.indexes[number].searcher._encoders, "_describers", {})
        answer = client.post("/search/image", files=photo, data={"way": way, "k": 3}).json()
        assert ids(answer) == [hit.id for hit in collection.indexes[number].searcher.search_image(regions, 3, "exact")]
    refused = client.post("/search/image", files={"photo": b"no photo"}, data={"way": "1:exact"})
    assert refused.status_code == 422
    assert refused.json()["error"].startswith("the photo: not an image of a kind that can be read")


@pytest.mark.parametrize(
    "values, status, sentence",
    [
        ({"query": " "}, 422, "the query is empty; give it words"),
        ({"query": "a" * 10_000}, 422, "query: more than the limit of 1,000 characters; shorten it"),
        ({"query": 3}, 422, "query: input should be a valid string; GET /openapi.json describes what is expected"),
        ({"k": 101}, 422, "k: input should be less than or equal to 100; GET /openapi.json describes what is expected"),
        ({"way": "9:exact"}, 422, "way: there is no such one; GET /about lists them: 0:cascade, 0:exact, 1:exact"),
        ({"way": "1:exact"}, 422, "this way holds captions; search it by a photo, or pick a way that holds images"),
        (
            {"way": "0:exact", "recall": 0.5},
            422,
            "recall: the first stage of this way was not measured; leave it out, or give candidates",
        ),
    ],
)
def test_what_cannot_be_searched_is_said(client, values, status, sentence):
    answer = client.post("/search", json={"query": QUERY, **values})
    assert (answer.status_code, answer.json()) == (status, {"error": sentence})


def test_a_body_that_is_no_json(client):
    answer = client.post("/search", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 422 and answer.json()["error"].startswith("the body is no JSON")
    answer = client.post(
        "/search", content=json.dumps({"query": "\ud800"}), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422 and answer.json()["error"].startswith("query: ")


def test_one_of_photo_and_like(client):
    for values in ({}, {"data": {"like": "val-00001"}, "files": {"photo": b"x"}}):
        answer = client.post("/search/image", **values)
        assert answer.json() == {"error": "give a photo, or like with the id of an image: one of the two"}
    answer = client.post("/search/image", files={"photo": b"x"}, data={"way": "0:exact"})
    assert answer.status_code == 422 and "does not record how photos were described" in answer.json()["error"]


def test_many_at_once_get_their_own_answers(client, collection):
    queries = [
        f"a {colour} {shape}" for colour in ("red", "blue", "green", "black") for shape in ("ball", "box", "star")
    ]
    expected = [[hit.id for hit in collection.indexes[0].searcher.search(query, 5, "exact")] for query in queries]

    def one(query):
        return ids(client.post("/search", json={"query": query, "k": 5, "way": "0:exact"}).json())

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(one, queries)) == expected
