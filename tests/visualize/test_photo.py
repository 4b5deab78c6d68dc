"""The photo is found where it is, and its absence is said."""

import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from inflate_shrink.data.store import Store
from inflate_shrink.visualize.photo import open_scene

BOX = [10, 20, 30, 60]


@pytest.fixture
def store(tmp_path):
    """A function: what differs -> a data set of one image of 40 x 80 pixels, whose photo is half as large."""
    Image.new("RGB", (20, 40), "red").save(tmp_path / "a.png")

    def make(file="a.png", size=(40, 80), boxes=(BOX, BOX, [0, 0, 0, 0]), root=""):
        made = SimpleNamespace(
            directory=tmp_path,
            image_root=tmp_path / root,
            image_files=[file],
            image_sizes=np.array([size]),
            boxes=np.array([boxes], "float32"),
            region_counts=np.array([2]),
        )
        made.image_path = lambda row: Store.image_path(made, row)
        return made

    return make


def test_photo(store):
    scene = open_scene(store(), 0)
    assert scene.photo.size == (20, 40) and scene.photo.getpixel((0, 0)) == (255, 0, 0)
    assert (scene.width, scene.height, scene.note) == (40, 80, "") and scene.boxes.tolist() == [BOX, BOX]


def test_photo_in_an_archive(store, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "in/b.png")
    assert open_scene(store(file="in/b.png", root="photos.zip"), 0).photo.size == (20, 40)


def test_no_photo(store, tmp_path):
    (tmp_path / "damaged.png").write_bytes(b"no photo")
    for file in ("gone.png", "damaged.png"):
        scene = open_scene(store(file=file), 0)
        assert scene.photo is None and scene.note == f"(no photo can be read at {tmp_path / file})"
    scene = open_scene(store(file=""), 0)
    assert (scene.photo, scene.width, scene.height, scene.note) == (None, 40, 80, "(the data set holds no photos)")


@pytest.mark.parametrize(
    "file, size, box", [("a.png", (20, 40), [5, 10, 15, 30]), ("", (1, 1), [0.25, 0.25, 0.75, 0.75])]
)
def test_boxes_as_fractions(store, file, size, box):
    scene = open_scene(store(file=file, size=(0, 0), boxes=[[0.25, 0.25, 0.75, 0.75]] * 3), 0)
    assert (scene.width, scene.height) == size and scene.boxes.tolist() == [box, box]


def test_no_boxes(store):
    assert open_scene(store(boxes=np.zeros((3, 4))), 0).note == "(the data set holds no boxes)"
