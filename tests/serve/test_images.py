"""GET /images: pictures of what is in the index alone, decoded and encoded anew; a sentence where a photo has gone."""

import io
import os
import shutil
import zipfile

import pytest
from PIL import Image

from inflate_shrink.data.store import open_store
from inflate_shrink.serve.app import build_app
from inflate_shrink.serve.collection import open_collection


@pytest.fixture
def moved(indexes):
    """A function: where the photos of the index of images are now -> what asks a service of it."""
    from starlette.testclient import TestClient

    def client(photos_root):
        collection = open_collection(indexes[:1], photos_root=str(photos_root), threads=1)
        return TestClient(build_app(collection), base_url="http://localhost")

    return client


def test_a_photo_full_and_small(client, tiny_data):
    store = open_store(tiny_data)
    row = store.image_ids.index("val-00001")
    with Image.open(store.image_path(row)) as photo:
        size = photo.size
    for which in ("full", "small"):
        answer = client.get(f"/images/val-00001?size={which}")
        assert answer.headers["content-type"] == "image/jpeg" and answer.headers["x-content-type-options"] == "nosniff"
        assert Image.open(io.BytesIO(answer.content)).size == size  # a drawn scene is smaller than either
    etag = answer.headers["etag"]
    again = client.get("/images/val-00001?size=small", headers={"if-none-match": f'"x", {etag}'})
    assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == etag
    assert client.get("/images/val-00001").headers["etag"] != etag


def test_head_is_get_without_the_picture(client):
    answer = client.head("/images/val-00001")
    assert answer.status_code == 200 and int(answer.headers["content-length"]) > 100


@pytest.mark.parametrize(
    "path", ["nothing", "../files.json", "%2e%2e/files.json", "/etc/passwd", "val-00001/", "val-00001%00", "%ff"]
)
def test_nothing_but_the_items_of_the_index(client, path):
    answer = client.get(f"/images/{path}")
    assert answer.status_code == 404 and list(answer.json()) == ["error"]


def test_a_file_that_leads_outside_is_not_shown(collection, monkeypatch):
    from inflate_shrink.serve import pictures
    from inflate_shrink.serve.refusal import Refusal

    index = collection.indexes[0]
    for file in ("../../etc/passwd", "/etc/passwd", "..", "."):
        monkeypatch.setattr(index, "file_of", lambda item: file)
        with pytest.raises(Refusal, match="outside the folder of the index's photos") as refused:
            pictures.Pictures().picture(index, "val-00001", "full")
        assert refused.value.status_code == 404


def test_photos_that_have_moved(moved, tiny_data, tmp_path):
    client = moved(tmp_path / "gone")
    answer = client.get("/images/val-00001")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("the photo of 'val-00001' is no longer where the index has it")
    assert len(client.post("/search", json={"query": "a red ball"}).json()["hits"]) == 24  # the page goes on
    shutil.copytree(tiny_data / "images", tmp_path / "gone" / "images")
    assert client.get("/images/val-00001").status_code == 200


def test_photos_in_an_archive(moved, tiny_data, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in (tiny_data / "images").rglob("*-0000?.*"):
            archive.write(path, path.relative_to(tiny_data))
    client = moved(tmp_path / "photos.zip")
    assert client.get("/images/val-00001").headers["content-type"] == "image/jpeg"
    assert client.get("/images/train-00020").status_code == 404


def test_what_is_no_photo_is_not_sent(moved, tiny_data, tmp_path):
    shutil.copytree(tiny_data / "images", tmp_path / "own" / "images")
    client = moved(tmp_path / "own")
    (path,) = (tmp_path / "own").rglob("val-00001.*")
    assert client.get("/images/val-00001").status_code == 200
    path.write_text("<script>alert(1)</script>")
    answer = client.get("/images/val-00001")
    assert answer.status_code == 404 and "not an image of a kind that can be read" in answer.json()["error"]
    path.unlink()
    os.mkfifo(path)  # nobody writes into it
    assert client.get("/images/val-00001").status_code == 404


def test_pictures_that_were_made_are_kept_within_bounds(collection):
    from inflate_shrink.serve.pictures import Pictures

    index, room = collection.indexes[0], 20_000
    pictures = Pictures(room)
    for number in range(8):
        first = pictures.picture(index, f"val-0000{number}", "full")
        assert pictures.picture(index, f"val-0000{number}", "full") is first
        assert pictures.kept <= room
