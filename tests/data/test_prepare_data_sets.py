"""Data sets as a source of regions: what they bring along, which of them join."""

import numpy as np
import pytest
from prepare_calls import captions_of, run

from inflate_shrink.data.prepare import region_source
from inflate_shrink.data.store import open_store
from inflate_shrink.data.writer import StoreWriter
from inflate_shrink.errors import InputError


def store_of(directory, image_id, file="", **options):
    with StoreWriter(directory, name="x", made_by="a test", regions=4, **options) as writer:
        writer.add_image(image_id, 64, 48, file, np.ones((2, 3)), np.zeros((2, 4)))
    return directory


def test_data_sets_bring_their_extractor_and_photos(tmp_path):
    first = store_of(tmp_path / "first", "a.jpg", "images/a.jpg", extractor="mine")
    run(tmp_path / "out", captions_of("train a.jpg A cat."), first, format="store")
    store = open_store(tmp_path / "out")
    assert store.image_path(0) == first / "images" / "a.jpg" and store.meta["extractor"] == "mine"
    run(tmp_path / "again", captions_of("train a.jpg A cat."), tmp_path / "out", format="store")
    assert open_store(tmp_path / "again").image_path(0) == first / "images" / "a.jpg"


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(extractor="theirs"), r"first.*second: their extractor differs \(mine; theirs\)"),
        (dict(extractor="mine", file="b.jpg", extra={"image_root": "/photos"}), "their image_root differs"),
    ],
)
def test_data_sets_that_do_not_mix(tmp_path, options, message):
    paths = store_of(tmp_path / "first", "a", extractor="mine"), store_of(tmp_path / "second", "b", **options)
    with pytest.raises(InputError, match=message):
        region_source([str(path) for path in paths], "store", "")


def test_data_sets_of_one_extractor_join(tmp_path):
    paths = store_of(tmp_path / "first", "a", extractor="mine"), store_of(tmp_path / "second", "b", extractor="mine")
    assert run(tmp_path / "out", captions_of("train a A cat.", "val b A bird."), *paths, format="store").images == 2
