"""Search in embedded Qdrant against exact scores; bad input; what is sent to a server."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import scores
from inflate_shrink.search.qdrant import QdrantCollection, push_index
from inflate_shrink.search.ranking import Hit

DIM = 6

IDS = [f"photo {number}" for number in range(60)]


@pytest.fixture
def query():
    random = np.random.default_rng(1)
    fragments = random.standard_normal((5, DIM)).astype(np.float32)
    return fragments / np.linalg.norm(fragments, axis=1, keepdims=True)


def best(index, found, k, among=None):
    """The k best of ``among`` (rows of the index's one segment) as hits, by scores (N,)."""
    segment = index.segments[0]
    among = np.arange(len(segment)) if among is None else np.asarray(among)
    order = among[np.argsort(-found[among], kind="stable")[:k]]
    return [Hit(rank, found[row], segment.ids[row], segment.files[row]) for rank, row in enumerate(order, 1)]


def assert_same(hits, expected):
    assert [hit._replace(score=0) for hit in hits] == [hit._replace(score=0) for hit in expected]
    np.testing.assert_allclose([hit.score for hit in hits], [hit.score for hit in expected], atol=1e-5)


@pytest.mark.parametrize("k", [1, 7, 100])
def test_exact_search(collection, make_index, query, k):
    index = make_index(IDS)
    push_index(index, collection)
    assert_same(collection.search(query, k), best(index, scores([query], index.segments[0].stored("fragments"))[0], k))


def test_exact_search_of_int8_has_the_scores_of_the_stored_rows(collection, make_index, query):
    index = make_index(IDS, precision="int8")
    push_index(index, collection)
    rows = index.segments[0].stored("fragments")
    vectors = (rows.values[:, :DIM].astype(np.float32) - 128) * rows.scales[:, None]
    exact = np.maximum.reduceat(vectors @ query.T, rows.offsets[:-1]).sum(1)
    assert_same(collection.search(query, 10), best(index, exact, 10))


@pytest.mark.parametrize("candidates", [1, 20, 500])
def test_cascade_has_the_exact_order_of_what_the_first_stage_let_through(collection, make_index, query, candidates):
    index = make_index(IDS)
    push_index(index, collection)
    segment = index.segments[0]
    first = scores([query[:1]], segment.stored("vector"))[0]
    passed = np.argsort(-first, kind="stable")[: max(10, candidates)]
    expected = best(index, scores([query], segment.stored("fragments"))[0], 10, passed)
    assert_same(collection.search(query, 10, query[0], candidates), expected)


@pytest.mark.parametrize("vector", [False, True])
def test_only_these_ids(collection, make_index, query, vector):
    index = make_index(IDS)
    push_index(index, collection)
    rows = [3, 5, 50]
    hits = collection.search(
        query, 10, query[0] if vector else None, 3, only=[*(IDS[row] for row in rows), "not there"]
    )
    assert_same(hits, best(index, scores([query], index.segments[0].stored("fragments"))[0], 10, rows))
    assert collection.search(query, only=[]) == []


@pytest.mark.parametrize("items", ["images", "captions"])
def test_one_fragment_a_side_is_a_plain_vector(collection, make_index, query, items):
    index = make_index(IDS, holds=items, most=1, vector=False)
    push_index(index, collection)
    assert collection.layout() == ({"fragments": DIM}, True)
    exact = scores([query[:1]], index.segments[0].stored("fragments"))[0]
    assert_same(collection.search(query[:1], 10), best(index, exact, 10))


def test_bad_queries(collection, make_index, query):
    with pytest.raises(InputError, match="has no collection photos"):
        collection.search(query)
    push_index(make_index(IDS, vector=False), collection)
    for arguments, message in (
        ((query[:, :3],), r"fragments has the shape \(5, 3\), collection photos holds vectors of 6 dimensions"),
        ((query[0],), "fragments has the shape"),
        ((query[:0],), "the query has 0 fragments"),
        ((query, 0), "k is 0"),
        ((query, 10, query[0]), "has no field vector"),
    ):
        with pytest.raises(InputError, match=message):
            collection.search(*arguments)


def test_places_that_are_no_collection(collection, tmp_path):
    with pytest.raises(InputError, match="no such directory; tools/push.py makes it"):
        QdrantCollection(tmp_path / "none", "photos")
    (tmp_path / "file.txt").touch()
    for place in (tmp_path, tmp_path / "file.txt"):
        with pytest.raises(InputError, match="is not a directory of embedded Qdrant"):
            QdrantCollection(place, "photos", create=True)
    with QdrantCollection(tmp_path / "new", "photos", create=True):
        with pytest.raises(InputError, match="already accessed by another instance"):
            QdrantCollection(tmp_path / "new", "photos")


def test_foreign_collection(collection, make_index):
    collection._client.create_collection("photos", collection._models.VectorParams(size=2, distance="Dot"))
    with pytest.raises(InputError, match="is not of tools/push.py"):
        push_index(make_index("ab"), collection)


def test_client_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(InputError, match=r"pip install inflate-shrink\[qdrant\]"):
        QdrantCollection(":memory:", "photos")


@pytest.fixture
def server(collection):
    """A server that keeps what it is sent and answers with ``replies`` by method and path, else 403; its address and requests."""
    requests, replies = [], {}

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            requests.append(
                (self.command, self.path.split("?")[0], json.loads(body or "null"), self.headers.get("api-key"))
            )
            reply = replies.get(requests[-1][:2])
            self.send_response(403 if reply is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(
                json.dumps(
                    {"status": {"error": "forbidden"}}
                    if reply is None
                    else {"result": reply, "status": "ok", "time": 0}
                ).encode()
            )

        do_GET = do_PUT = do_POST = answer

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", requests, replies
        httpd.shutdown()
        thread.join()


def test_what_a_server_is_asked_to_make(server):
    address, requests, replies = server
    replies["PUT", "/collections/photos"] = True
    replies["PUT", "/collections/photos/index"] = {"status": "completed", "operation_id": 0}
    with QdrantCollection(address, "photos", api_key="secret") as collection:
        collection.create(
            {"fragments": 768, "vector": 256}, "images", "1234", one_fragment=False, shards=6, replicas=2, float16=True
        )
    (_, _, made, key), (_, _, index, _) = requests
    fragments, vector = made["vectors"]["fragments"], made["vectors"]["vector"]
    assert key == "secret" and (made["shard_number"], made["replication_factor"]) == (6, 2)
    assert (fragments["size"], fragments["distance"], fragments["datatype"], fragments["on_disk"]) == (
        768,
        "Dot",
        "float16",
        True,
    )
    assert (fragments["multivector_config"], fragments["hnsw_config"]["m"]) == ({"comparator": "max_sim"}, 0)
    assert (vector["size"], vector.get("multivector_config"), vector.get("hnsw_config")) == (256, None, None)
    assert made["metadata"]["fingerprint"] == "1234"
    assert (index["field_name"], index["field_schema"]) == ("source", "keyword")


def test_server_that_refuses_or_is_not_there(server):
    address, _, _ = server
    with (
        QdrantCollection(address, "photos") as collection,
        pytest.raises(InputError, match="Qdrant refused: 403 Forbidden"),
    ):
        collection.exists()
    with (
        QdrantCollection("http://127.0.0.1:1", "photos") as collection,
        pytest.raises(InputError, match="http://127.0.0.1:1: no answer from Qdrant"),
    ):
        collection.exists()


def test_grpc_error_is_one_line(collection, monkeypatch):
    from grpc import RpcError, StatusCode

    class Unavailable(RpcError):
        code, details = lambda self: StatusCode.UNAVAILABLE, lambda self: "connection refused"

    def fail(name):
        raise Unavailable

    monkeypatch.setattr(collection._client, "collection_exists", fail)
    with pytest.raises(InputError, match="^:memory:: Qdrant by gRPC: UNAVAILABLE: connection refused$"):
        collection.exists()
