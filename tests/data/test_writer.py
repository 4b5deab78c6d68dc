import errno
import json
import os

import numpy as np
import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.data.writer import StoreWriter
from inflate_shrink.errors import InputError

BOX = np.zeros((1, 4))


def writer(directory, **options):
    return StoreWriter(directory, regions=2, name="x", made_by="a test", **options)


def leftovers(directory):
    return os.listdir(directory.parent)


def test_round_trip_in_float16(tmp_path, write_animals):
    write_animals(tmp_path / "a", dtype="float16", seed=7, extractor="e", clustering="c", extra={"note": "n"})
    store = open_store(tmp_path / "a")
    assert store.regions.dtype == np.float16
    assert store.read_regions([0])[0].tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert store.meta.pop("regions_crc32") > 0
    expected = dict(format=1, name="animals", made_by="a test", seed=7, extractor="e", clustering="c")
    expected.update(images=3, captions=4, regions_shape=[3, 2, 3], regions_dtype="float16", note="n")
    assert list(store.meta.items()) == list(expected.items())


def test_same_input_same_bytes(tmp_path, write_animals):
    write_animals(tmp_path / "a")
    write_animals(tmp_path / "b")
    write_animals(tmp_path / "c", inputs={})
    for name in os.listdir(tmp_path / "a"):
        assert (
            (tmp_path / "a" / name).read_bytes()
            == (tmp_path / "b" / name).read_bytes()
            == (tmp_path / "c" / name).read_bytes()
        )
    assert sorted(leftovers(tmp_path / "a")) == ["a", "b", "c"]


def test_vocabulary(tmp_path):
    with writer(tmp_path / "a", dimension=2) as made:
        made.write_vocabulary(["[PAD]", "naïve"])
    assert open_store(tmp_path / "a").vocabulary.read_text(encoding="utf-8") == "[PAD]\nnaïve\n"


@pytest.mark.parametrize("inputs", [None, {}])
def test_nothing_appears_before_the_end(tmp_path, inputs):
    with writer(tmp_path / "a", dimension=2, inputs=inputs):
        assert not (tmp_path / "a").exists()
    assert leftovers(tmp_path / "a") == ["a"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError, ValueError])
def test_nothing_remains_after_an_error(tmp_path, error):
    with pytest.raises(error):
        with writer(tmp_path / "a") as made:
            made.add_image("1", 1, 1, "", np.ones((1, 2)), BOX)
            raise error
    assert leftovers(tmp_path / "a") == []


@pytest.mark.parametrize("inputs", [None, {}])
def test_existing_directory_is_kept(animals, write_animals, inputs):
    before = (animals / "meta.json").read_bytes()
    with pytest.raises(InputError, match="already exists"):
        write_animals(animals, inputs=inputs)
    assert (animals / "meta.json").read_bytes() == before and leftovers(animals) == ["animals"]


def test_full_disk(tmp_path, monkeypatch, write_animals):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(InputError, match=r"a: cannot be written: No space left on device"):
        write_animals(tmp_path / "a")
    assert leftovers(tmp_path / "a") == []


@pytest.mark.parametrize("inputs", [None, {}])
def test_no_images(tmp_path, inputs):
    with pytest.raises(InputError, match="a: no images"):
        with writer(tmp_path / "a", inputs=inputs):
            pass
    assert leftovers(tmp_path / "a") == []


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("1", 1, 1, "", np.ones((1, 2)), BOX), "'1' was added twice"),
        (("2", 1, 1, "", np.ones((1, 3)), BOX), "image '2': its regions have dimension 3, the data set's have 2"),
        (("2", 1, 1, "", np.ones((3, 2)), np.zeros((3, 4))), r"n from 1 to 2, found \(3, 2\)"),
        (("2", 1, 1, "", np.ones((0, 2)), np.zeros((0, 4))), r"\(0, 2\)"),
        (("2", 1, 1, "", np.ones(2), np.zeros((2, 4))), r"found \(2,\)"),
        (("2", 1, 1, "", np.ones((1, 2)), np.zeros((2, 4))), r"\(2, 4\)"),
        (("2", 1, 1, "", np.array([[1, np.nan]]), BOX), "image '2': a feature is NaN"),
        (("2", 1, 1, "", np.array([[1, 7e4]]), BOX), "too large for float16"),
        (("2", 1, 1, "a\tb", np.ones((1, 2)), BOX), "tab"),
        (("2", 1, 1, "b\udcff.jpg", np.ones((1, 2)), BOX), r"b\\udcff.jpg' is not Unicode"),
        (("2", -1, 1, "", np.ones((1, 2)), BOX), "found -1 and 1"),
    ],
)
def test_bad_image(tmp_path, arguments, message):
    """It is refused and leaves no trace, so that a caller may leave it out."""
    with writer(tmp_path / "a") as made:
        made.add_image("1", 1, 1, "", np.ones((1, 2)), BOX)
        with pytest.raises(InputError, match=message) as caught:
            made.add_image(*arguments)
        assert "\n" not in str(caught.value) and len(made) == 1 and "2" not in made
        made.add_image("3", 1, 1, "", np.full((1, 2), 3), BOX)
    store = open_store(tmp_path / "a")
    assert store.image_ids == ["1", "3"] and store.regions[:, 0, 0].tolist() == [1, 3]


def test_a_bad_first_image_does_not_set_the_dimension(tmp_path):
    with writer(tmp_path / "a") as made:
        with pytest.raises(InputError, match="NaN"):
            made.add_image("1", 1, 1, "", np.full((1, 5), np.nan), BOX)
        made.add_image("2", 1, 1, "", np.ones((1, 2)), BOX)
    assert open_store(tmp_path / "a").regions.shape == (1, 2, 2)


def test_announced_dimension(tmp_path):
    with pytest.raises(InputError, match="image '1': its regions have dimension 2, the data set's have 3"):
        with writer(tmp_path / "a", dimension=3) as made:
            made.add_image("1", 1, 1, "", np.ones((1, 2)), BOX)


@pytest.mark.parametrize(
    "caption, message",
    [
        (("train", "2", "A cat."), "'2', which was not added"),
        (("train", "1", " "), "empty"),
        (("", "1", "A cat."), "empty"),
        (("train", "1", "Two\nlines."), "newline"),
        (("train", "1", "Half an emoji \ud83d"), "not Unicode"),
    ],
)
def test_bad_caption(tmp_path, caption, message):
    with pytest.raises(InputError, match=message):
        with writer(tmp_path / "a") as made:
            made.add_image("1", 1, 1, "", np.ones((1, 2)), BOX)
            made.add_caption(*caption)


def test_meta_is_readable_json(animals):
    assert json.loads((animals / "meta.json").read_text(encoding="utf-8"))["images"] == 3


def test_a_name_that_is_not_utf8_is_refused_at_the_start(tmp_path):
    with pytest.raises(InputError, match="not UTF-8"):
        with StoreWriter(tmp_path / "a", name="\udcff", made_by="a test"):
            raise AssertionError("began")
    assert leftovers(tmp_path / "a") == []
