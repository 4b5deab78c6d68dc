import json
import os
from pathlib import Path

import numpy as np
import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.data.writer import StoreWriter
from inflate_shrink.errors import InputError


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def rejected(directory, *parts):
    """open_store refuses, in one line that holds all the parts."""
    with pytest.raises(InputError) as caught:
        open_store(directory)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message


def test_open(animals):
    store = open_store(animals)
    assert store.image_ids == ["cat", "dog", "owl"]
    assert store.image_sizes.tolist() == [[640, 480]] * 3
    assert store.image_files == ["cat.jpg", "dog.jpg", "owl.jpg"]
    assert store.captions == ["An owl.", "A dog.", "A cat.", "The same dog \u2028 again."]
    assert store.caption_rows.tolist() == [2, 1, 0, 1]
    assert store.region_counts.tolist() == [2, 1, 2]
    assert store.boxes[1].tolist() == [[0, 1, 2, 3], [0, 0, 0, 0]]
    assert store.vocabulary == animals / "vocab.txt" and not store.vocabulary.exists()


def test_where_the_image_files_are(animals, write_animals, monkeypatch):
    monkeypatch.chdir(animals.parent)
    for root, expected in (
        ("", animals),
        ("../photos", animals.parent / "photos"),
        ("/photos.zip", Path("/photos.zip")),
    ):
        write_animals(f"of{len(root)}", extra={"image_root": root} if root else {})
        store = open_store(f"of{len(root)}")
        expected = expected if root else animals.parent / "of0"
        assert (store.image_root, store.image_path(1)) == (expected, expected / "dog.jpg")


def test_features_stay_on_disk(animals):
    store = open_store(animals)
    assert isinstance(store.regions, np.memmap)
    with pytest.raises(ValueError):
        store.regions[0] = 0


def test_split(animals):
    split = open_store(animals).split("train")
    assert split.captions == ["A dog.", "A cat.", "The same dog \u2028 again."]
    assert split.image_ids == ["dog", "cat"]  # in the order of their first caption
    assert split.image_rows.tolist() == [1, 0]
    assert split.caption_image.tolist() == [0, 1, 0]


@pytest.mark.parametrize("name", ["val", ""])
def test_unknown_split(animals, name):
    with pytest.raises(InputError, match=f"split '{name}'; its splits are: test, train"):
        open_store(animals).split(name)


def test_read_regions_in_the_order_asked_for(animals):
    regions, counts = open_store(animals).read_regions([2, 0, 2, 1])
    assert regions.dtype == np.float32
    assert regions[:, 0, 0].tolist() == [10, 1, 10, 7]
    assert regions[3].tolist() == [[7, 8, 9], [0, 0, 0]]
    assert counts.tolist() == [2, 2, 2, 1]


def test_read_no_regions(animals):
    regions, counts = open_store(animals).read_regions([])
    assert regions.shape == (0, 2, 3) and counts.shape == (0,)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_feature(animals, value):
    features = np.load(animals / "regions.npy", mmap_mode="r+")
    features[1, 0, 2] = value
    features.flush()
    store = open_store(animals)
    store.read_regions([0, 2])
    with pytest.raises(InputError, match=r"regions\.npy: row 1 \(image dog\) contains NaN or infinity"):
        store.read_regions([2, 1])


def test_large_features_whose_sum_overflows_are_fine(animals):
    features = np.load(animals / "regions.npy", mmap_mode="r+")
    features[0] = 3e38
    features.flush()
    assert open_store(animals).read_regions([0])[0].max() == np.float32(3e38)


def test_no_such_directory(tmp_path):
    rejected(tmp_path / "none", "none: no such data set", "make_demo_data.py")


@pytest.mark.parametrize(
    "name", ["meta.json", "images.tsv", "captions.tsv", "regions.npy", "region_counts.npy", "boxes.npy"]
)
def test_missing_file(animals, name):
    (animals / name).unlink()
    rejected(animals, animals / name, "make_demo_data.py")


@pytest.mark.parametrize("name", ["regions.npy", "region_counts.npy", "boxes.npy"])
def test_truncated_array(animals, name):
    size = os.path.getsize(animals / name)
    os.truncate(animals / name, size - 5)
    rejected(animals, animals / name, f"promises {size} bytes", f"has {size - 5}")


@pytest.mark.parametrize("size", [0, 20])
def test_array_without_header(animals, size):
    os.truncate(animals / "regions.npy", size)
    rejected(animals, "regions.npy: not a readable .npy file")


def test_array_of_another_build(animals):
    np.save(animals / "boxes.npy", np.zeros((4, 2, 4), np.float32))
    rejected(animals, "boxes.npy", "(4, 2, 4)", "(3, 2, 4)")


def test_array_of_another_type(animals):
    np.save(animals / "regions.npy", np.zeros((3, 2, 3)))
    rejected(animals, "regions.npy: holds float64", "float32")


@pytest.mark.parametrize("count", [0, 3])
def test_impossible_region_count(animals, count):
    np.save(animals / "region_counts.npy", np.array([2, count, 1], np.int32))
    rejected(animals, f"region_counts.npy: row 1 is {count}, expected 1 to 2")


@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, "[]", '{"format": 2}', '{"format": 1}', '{"format": 1, "regions_shape": 3}']
)
def test_bad_meta(animals, text):
    (animals / "meta.json").write_text(text)
    rejected(animals, "meta.json")


BAD_TABLES = {  # what is replaced in a table, by what, and the message
    "fewer images than rows": ("owl\t640\t480\towl.jpg\n", "", ["images.tsv: 2 images", "have 3"]),
    "repeated image id": ("owl\t", "cat\t", ["images.tsv: line 4", "'cat'", "line 2"]),
    "size of too many digits": (
        "dog\t640",
        "dog\t" + "9" * 5000,
        ["images.tsv: line 3", "in whole pixels, found '999"],
    ),
    "size not a number": ("dog\t640", "dog\twide", ["images.tsv: line 3", "'wide'"]),
    "caption of an unknown image": ("train\tcat", "train\tcow", ["captions.tsv: line 4", "'cow'"]),
    "two fields": (
        "train\tcat\tA cat.",
        "train\tcat",
        ["captions.tsv: line 4", "expected 3 tab-separated fields", "found 2"],
    ),
    "four fields": (
        "train\tcat\tA cat.",
        "train\tcat\tA\tcat.",
        ["captions.tsv: line 4", "expected 3 tab-separated fields", "found 4"],
    ),
    "an empty line": ("train\tcat\tA cat.", "", ["captions.tsv: line 4", "expected 3 tab-separated fields", "found 1"]),
    "empty caption": ("A cat.", " ", ["captions.tsv: line 4", "empty"]),
    "another header": ("split\t", "part\t", ["captions.tsv: line 1", "expected the header split image_id caption"]),
    "captions cut short": ("train\tdog\tThe same dog \u2028 again.\n", "", ["captions.tsv: 3 captions", "counts 4"]),
}


@pytest.mark.parametrize("old, new, parts", BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_table(animals, old, new, parts):
    edit(animals / parts[0].split(":")[0], old, new)
    rejected(animals, *parts)


def test_empty_table(animals):
    (animals / "captions.tsv").write_text("")
    rejected(animals, "captions.tsv: empty file")


def test_not_utf8(animals):
    data = (animals / "captions.tsv").read_bytes()
    (animals / "captions.tsv").write_bytes(data.replace(b"A cat.", b"A c\xe4t."))
    rejected(animals, "captions.tsv", "not UTF-8")


@pytest.mark.parametrize(
    "name, old, new",
    [("captions.tsv", "A cat.", "A hat."), ("images.tsv", "480\towl", "481\towl"), ("meta.json", "a test", "a nest")],
)
def test_edited_file(animals, name, old, new):
    edit(animals / name, old, new)
    rejected(
        animals, f"{animals / name}: its checksum is not the one in files.json", "or remove files.json if you edited it"
    )
    (animals / "files.json").unlink()
    open_store(animals)


def test_counts_that_are_possible_but_not_those_that_were_written(animals):
    np.save(animals / "region_counts.npy", np.array([2, 2, 2], np.int32))
    rejected(animals, "region_counts.npy: its checksum")


def test_damaged_list(animals):
    edit(animals / "files.json", '"captions.tsv"', '"captions.csv"')
    rejected(animals, "files.json: damaged (its checksum is wrong)")


def test_windows_line_ends_are_read(animals):
    data = (animals / "captions.tsv").read_bytes()
    (animals / "files.json").unlink()
    (animals / "captions.tsv").write_bytes(data.replace(b"\n", b"\r\n"))
    assert open_store(animals).captions[0] == "An owl."


def test_fingerprint(animals):
    before = open_store(animals).fingerprint()
    assert before == open_store(animals).fingerprint() and len(before) == 16
    (animals / "files.json").unlink()
    edit(animals / "captions.tsv", "A cat.", "A hat.")
    assert open_store(animals).fingerprint() != before


def test_fingerprint_tells_features_of_one_size_apart(tmp_path):
    prints = set()
    for value in (1, 2):
        with StoreWriter(tmp_path / str(value), name="x", made_by="a test") as writer:
            writer.add_image("a", 1, 1, "", np.full((1, 1), value), np.zeros((1, 4)))
        prints.add(open_store(tmp_path / str(value)).fingerprint())
    assert len(prints) == 2


@pytest.mark.slow
def test_as_many_captions_as_coco(animals):
    n = 616_767
    (animals / "files.json").unlink()
    (animals / "captions.tsv").write_text(
        "split\timage_id\tcaption\n" + "train\tcat\tA man on a small moped on a dirt road.\n" * n
    )
    meta = json.loads((animals / "meta.json").read_text())
    (animals / "meta.json").write_text(json.dumps({**meta, "captions": n}))
    assert len(open_store(animals).split("train").captions) == n  # in a second
