"""The page and its files, what is said of the service, its metrics, and how it follows its indexes."""

import asyncio
import re
import shutil

import pytest

from inflate_shrink.serve.app import PAGE, build_app
from inflate_shrink.serve.collection import open_collection


def test_the_page_and_its_files(client):
    page = client.get("/")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<noscript>" in page.text
    named = re.findall(r'(?:src|href)="/?static/([^"]+)"', page.text)
    assert named and all(client.get(f"/static/{name}").status_code == 200 for name in named)
    assert not re.search(
        r"https?://(?!www\.w3\.org/)|<style|<script>|\son\w+=", page.text
    )  # all from here, nothing inline
    again = client.get("/", headers={"if-none-match": page.headers["etag"]})
    assert again.status_code == 304


def test_no_other_file_is_one_of_the_page(client):
    for name in ("../app.py", "%2e%2e%2fapp.py", "app.py", ".", "nothing.css"):
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 404 and list(answer.json()) == ["error"]
    assert {path.suffix for path in PAGE.iterdir()} <= {".html", ".css", ".js", ".svg", ".png"}


def test_what_is_served(client, collection):
    about = client.get("/about").json()
    assert about["title"] == "tiny"
    assert about["limits"] == {"query_characters": 1000, "photo_bytes": 20 << 20, "k": 100, "offset": 10_000}
    assert [(way["way"], way["holds"], way["items"], way["recall"], way["by_text"], way["by_photo"]) for way in about["ways"]] == [
        ("0:cascade", "images", 42, True, True, False),
        ("0:exact", "images", 42, False, True, False),
        ("1:exact", "captions", 50, False, False, False),
    ]  # fmt: skip
    assert [way["label"] for way in about["ways"]] == [
        "images, fitted first stage",
        "images exact",
        "captions, captions",
    ]
    captions = collection.indexes[0].data_sets[0].store.split("test").captions
    assert len(about["examples"]) == 8 and set(about["examples"]) <= set(captions)


@pytest.mark.parametrize("path, status", [("/docs", 404), ("/redoc", 404), ("/nothing", 404), ("/search", 405)])
def test_what_is_not_there(client, path, status):
    answer = client.get(path)
    assert answer.status_code == status and list(answer.json()) == ["error"]
    assert client.options("/health").headers["allow"] == "GET"


def test_metrics_count_by_path_and_status(client):
    def counted(path, status):
        found = re.search(
            rf'requests_total{{path="{re.escape(path)}",status="{status}"}} (\S+)', client.get("/metrics").text
        )
        return float(found[1]) if found else 0.0

    before = counted("/images/{id:path}", 404), counted("other", 404)
    client.get("/images/one"), client.get("/images/two"), client.get("/x"), client.get("/y")
    assert counted("/images/{id:path}", 404) == before[0] + 2
    assert counted("other", 404) == before[1] + 2  # one line for however many
    client.post("/search", json={"query": "a ball"})
    text = client.get("/metrics").text
    assert re.search(r"search_seconds_count [1-9]", text) and "inflate_shrink_items 92.0" in text
    assert "inflate_shrink_in_flight 1.0" in text and re.search(r"process_resident_memory_bytes [1-9]", text)


def test_an_index_that_moves_is_followed(indexes, tmp_path, monkeypatch):
    from starlette.testclient import TestClient

    from inflate_shrink.search.index import IndexWriter

    index = shutil.copytree(indexes[0], tmp_path / "index")
    monkeypatch.setattr("inflate_shrink.serve.app._REFRESH_SECONDS", 0.01)
    collection = open_collection([index], threads=1)
    with TestClient(build_app(collection), base_url="http://localhost") as client:
        ask = {"query": "a red ball", "k": 1, "way": "0:exact", "contains": "val"}
        best = client.post("/search", json=ask).json()["hits"][0]["id"]
        with IndexWriter(index) as writer:
            writer.delete([best])
            writer.commit()
        for _ in range(500):
            if client.get("/health").json()["items"] == 41:
                break
            asyncio.run(asyncio.sleep(0.01))
        assert client.post("/search", json=ask).json()["hits"][0]["id"] != best
        assert client.get(f"/images/{best}").status_code == 404
        (index / "manifest.json").write_bytes(b"damaged")
        asyncio.run(asyncio.sleep(0.05))
        assert len(client.post("/search", json=ask).json()["hits"]) == 1  # as before
