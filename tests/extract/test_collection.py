"""A folder of photos, whatever lies in it, becomes a data set of regions."""

import io
import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.clustering import cluster_regions
from inflate_shrink.data.store import open_store
from inflate_shrink.errors import InputError
from inflate_shrink.extract.collection import extract_collection
from inflate_shrink.extract.decode import open_photo
from inflate_shrink.extract.extractor import Extractor, ExtractorSettings
from inflate_shrink.extract.networks import Network
from inflate_shrink.extract.photos import PhotoFolder

ODD = "my trip/caf\u00e9 \u72d7.png"
GOOD = ["grey.png", ODD, "noise.jpg", "turned.jpg"]
BAD = ["cut.jpg", "empty.jpg", "notes.txt"]
NOISE = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
TURNED = Image.Exif()
TURNED[0x0112] = 6  # upright it is as wide as it is high now


def encoded(mode, kind, **options):
    file = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(file, kind, **options)
    return file.getvalue()


def photos():
    """Name -> bytes of the files, good and bad."""
    jpeg = encoded("RGB", "JPEG")
    good = dict(zip(GOOD, (encoded("L", "PNG"), encoded("RGBA", "PNG"), jpeg, encoded("RGB", "JPEG", exif=TURNED))))
    return {**good, "cut.jpg": jpeg[: len(jpeg) // 2], "empty.jpg": b"", "notes.txt": b"Rome, May", ".hidden": b"x"}


@pytest.fixture(params=["folder", "zip"])
def source(request, tmp_path):
    if request.param == "zip":
        with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
            for name, data in photos().items():
                archive.writestr(name, data)
        return tmp_path / "photos.zip"
    return unpacked(tmp_path / "photos", photos())


def unpacked(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def settings(backbone):
    pytest.importorskip("onnxruntime")
    return ExtractorSettings(str(backbone), "unit", size=256)


@pytest.fixture
def extract(settings):
    """A function: source, out -> what extract_collection gives; bad files are left out."""
    return lambda source, out, bad=None, settings=settings, **options: extract_collection(
        PhotoFolder(source), out, settings, bad=bad or BadRecords(skip=True), **options
    )


@pytest.fixture
def interrupted(extract, monkeypatch):
    """A function: the same call, but Ctrl-C is pressed at noise.jpg."""

    def interrupted(*arguments):
        def stop(folder, name):
            if name == "noise.jpg":
                raise KeyboardInterrupt
            return read(folder, name)

        read = PhotoFolder.read
        with monkeypatch.context() as patch:
            patch.setattr(PhotoFolder, "read", stop)
            with pytest.raises(KeyboardInterrupt):
                extract(*arguments)

    return interrupted


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_whatever_lies_in_a_folder(source, extract, tmp_path, capsys):
    bad = BadRecords(skip=True)
    assert extract(source, tmp_path / "out", bad) == (4, 0, 0)
    lines = capsys.readouterr().err.splitlines()
    assert bad.count == len(lines) == 3
    for name, line in zip(BAD, lines):
        assert line.startswith(f"skipped: {source}") and name in line
    assert sorted(os.listdir(tmp_path)) == ["out", source.name]
    store = open_store(tmp_path / "out")
    assert store.image_ids == store.image_files == GOOD
    assert store.image_sizes.tolist() == [[128, 96]] * 3 + [[96, 128]]
    assert store.meta["image_root"] == str(source) and store.meta["extractor"].startswith(
        "cells of backbone mean.onnx sha256:"
    )
    assert store.image_path(1) == source / ODD and (source.suffix or store.image_path(1).is_file())
    assert store.captions == []
    with pytest.raises(InputError, match="out: holds regions but no captions; tools/prepare_data.py --regions"):
        store.split("train")


def test_features_are_those_of_the_extractor(source, extract, settings, tmp_path):
    extract(source, tmp_path / "out", regions=32)
    folder, extractor, store = PhotoFolder(source), Extractor(settings), open_store(tmp_path / "out")
    for row, name in enumerate(GOOD):
        found = extractor(open_photo(folder.read(name), name, min_side=256))
        assert len(found.features) == 88  # more than 32
        centres, boxes = cluster_regions(found.features, found.boxes)
        np.testing.assert_array_equal(store.regions[row], centres.astype(np.float16))
        np.testing.assert_array_equal(store.boxes[row], boxes)
        assert store.region_counts[row] == len(centres)


def test_mirrored_photos(extract, tmp_path):
    folder = unpacked(tmp_path / "photos", {"noise.png": encoded("RGB", "PNG")})
    extract(folder, tmp_path / "out", regions=88, mirrored=True)
    store = open_store(tmp_path / "out")
    cells, mirrored = (
        array[0].astype("float32").reshape(8, 11, 3) for array in (store.regions, store.mirrored_regions)
    )
    np.testing.assert_allclose(mirrored, cells[:, ::-1], atol=0.01)  # the cells of a row in the other order
    assert np.abs(mirrored - cells).max() > 0.1 and store.with_mirrored([0]).all()
    assert extract(folder, tmp_path / "again", regions=88, mirrored=True, reuse=tmp_path / "out") == (1, 0, 1)
    assert contents(tmp_path / "again")["mirrored_regions.npy"] == contents(tmp_path / "out")["mirrored_regions.npy"]
    extract(folder, tmp_path / "plain", regions=88, reuse=tmp_path / "out")
    with pytest.raises(InputError, match="plain: its photos were not described mirrored, .*; leave out --mirrored, or"):
        extract(folder, tmp_path / "more", regions=88, mirrored=True, reuse=tmp_path / "plain")


def test_strict_stops_at_the_first(source, extract, tmp_path, capsys):
    with pytest.raises(InputError, match=r"cut.jpg: .*\(without --strict such files are left out\)$"):
        extract(source, tmp_path / "out", BadRecords(hint="without --strict such files are left out"))
    assert os.listdir(tmp_path) == [source.name] and capsys.readouterr().err == ""


def test_no_photo_at_all(extract, tmp_path, capsys):
    folder = unpacked(tmp_path / "photos", {"notes.txt": b"Rome", "empty.jpg": b""})
    with pytest.raises(InputError) as caught:
        extract(folder, tmp_path / "out")
    assert str(caught.value).startswith(f"{folder}: none of its 2 files is a photo") and "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["photos"] and capsys.readouterr().err.count("skipped: ") == 2


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_taken_up(source, extract, interrupted, tmp_path, workers):
    interrupted(source, tmp_path / "here" / "out")
    assert os.listdir(tmp_path / "here") == [".out.partial"]
    assert extract(source, tmp_path / "here" / "out", workers=workers) == (4, 2, 0)
    assert extract(source, tmp_path / "there" / "out") == (4, 0, 0)
    assert os.listdir(tmp_path / "here") == ["out"] and contents(tmp_path / "here" / "out") == contents(
        tmp_path / "there" / "out"
    )


def test_a_new_photo_or_another_setting_begins_anew(source, extract, interrupted, settings, tmp_path):
    for options in ({}, {"regions": 8}, {"settings": ExtractorSettings(settings.backbone, "unit", size=128)}):
        interrupted(source, tmp_path / "out")
        if not options:
            if source.suffix:
                with zipfile.ZipFile(source, "a") as archive:
                    archive.writestr("new.png", encoded("RGB", "PNG"))
            else:
                unpacked(source, {"new.png": encoded("RGB", "PNG")})
        images, before, _ = extract(source, tmp_path / "out", **options)
        assert (images, before) == (5, 0)
        os.rename(tmp_path / "out", tmp_path / f"done-{len(os.listdir(tmp_path))}")


@pytest.mark.parametrize(
    "operation, constant, shape, message",
    [
        ("Reshape", np.array([1, -1]), [1, "n"], r"net.onnx: expected a feature map \(1, C, h, w\), found \(1, \d+\)"),
        ("Reshape", np.array([2, 3, 16, -1]), [2, 3, 16, "n"], "net.onnx: expected a feature map"),
        ("Mul", np.ones((7, 3, 1, 1), np.float32), [7, 3, "h", "w"], "net.onnx: expected a feature map"),
        (
            "Mul",
            np.ones((1, 3, 9, 9), np.float32),
            [1, 3, "h", "w"],
            r"net.onnx: fails on an input of shape \(1, 3, 256, 256\)",
        ),
    ],
)
def test_network_that_does_not_fit_is_found_first(
    source, extract, network, tmp_path, monkeypatch, capsys, operation, constant, shape, message
):
    monkeypatch.setattr(PhotoFolder, "read", None)
    path = network(operation, constant, shape)
    with pytest.raises(InputError, match=message) as caught:
        extract(source, tmp_path / "out", settings=ExtractorSettings(str(path), "unit", size=256))
    assert "\n" not in str(caught.value) and capsys.readouterr().err == ""
    assert sorted(os.listdir(tmp_path)) == ["net.onnx", source.name]


def test_features_too_large_cost_a_photo_only(extract, network, tmp_path, capsys):
    path = network("Mul", np.float32(1e6), [1, 3, "h", "w"])
    files = {f"{name}.png": encoded_colour(colour) for name, colour in (("black", 0), ("white", 255))}
    out = tmp_path / "out"
    assert extract(
        unpacked(tmp_path / "photos", files), out, settings=ExtractorSettings(str(path), "unit", size=32)
    ) == (1, 0, 0)
    skipped = capsys.readouterr().err
    assert (
        "image 'white.png': a feature is NaN, infinite or too large for float16" in skipped and skipped.count("\n") == 1
    )
    assert open_store(out).image_ids == ["black.png"]


def encoded_colour(grey):
    file = io.BytesIO()
    Image.new("L", (4, 4), grey).save(file, "PNG")
    return file.getvalue()


@pytest.mark.slow
def test_photos_of_the_same_bytes_are_reused(source, extract, tmp_path, monkeypatch):
    """Under another name, too; what is new or changed is described, and the data set is the one made without --reuse."""
    assert extract(source, tmp_path / "old") == (4, 0, 0)
    files = {name: data for name, data in photos().items() if name in GOOD}
    files["renamed.png"] = files.pop("grey.png")
    files.update({"new.png": encoded_colour(90), "noise.jpg": encoded("RGB", "JPEG", quality=50)})
    grown = unpacked(tmp_path / "grown", files)
    assert extract(grown, tmp_path / "anew" / "out") == (5, 0, 0)
    described, describe = [], Extractor.regions

    def counted(extractor, photos):
        described.extend((photo.width, photo.height) for photo in photos)
        return describe(extractor, photos)

    monkeypatch.setattr(Extractor, "regions", counted)
    assert extract(grown, tmp_path / "with" / "out", reuse=tmp_path / "old") == (5, 0, 3)
    assert described == [(64, 64), (4, 4), (128, 96)]  # the check of the networks, new.png, noise.jpg
    assert contents(tmp_path / "with" / "out") == contents(tmp_path / "anew" / "out")
    monkeypatch.undo()
    assert extract(grown, tmp_path / "two" / "out", reuse=tmp_path / "old", workers=2) == (5, 0, 3)
    assert contents(tmp_path / "two" / "out") == contents(tmp_path / "anew" / "out")


@pytest.mark.parametrize("mirrored", [False, True])
def test_photos_in_batches(source, extract, tmp_path, monkeypatch, capsys, mirrored):
    """Those of one size in one call, the same data set; a bad one costs itself alone, and is said as without."""
    extract(source, tmp_path / "one" / "out", mirrored=mirrored)
    alone, calls, call = capsys.readouterr().err, [], Network.__call__

    def counted(network, images):
        calls.append(images.shape)
        return call(network, images)

    monkeypatch.setattr(Network, "__call__", counted)
    assert extract(source, tmp_path / "three" / "out", mirrored=mirrored, batch=3) == (4, 0, 0)
    assert capsys.readouterr().err == alone
    assert contents(tmp_path / "three" / "out") == contents(tmp_path / "one" / "out")
    # the check; cut.jpg makes a batch of its neighbours fall apart; then noise.jpg, notes.txt, turned.jpg
    assert [shape[0] for shape in calls] == [1, 2, 2, 2, 2] if mirrored else [1, 1, 1, 1, 1]
    for name in BAD:
        os.remove(source / name) if source.is_dir() else None
    calls.clear()
    if source.is_dir():
        extract(source, tmp_path / "four" / "out", mirrored=mirrored, batch=4)
        assert [shape[0] for shape in calls] == ([1, 6, 2] if mirrored else [1, 3, 1])
        assert np.array_equal(
            open_store(tmp_path / "four" / "out").regions, open_store(tmp_path / "one" / "out").regions
        )


def test_a_network_of_one_image_at_a_time(extract, network, tmp_path):
    path = network("Mul", np.ones((1, 3, 1, 1), np.float32), [1, 3, "h", "w"], image=[1, 3, "h", "w"])
    folder = unpacked(tmp_path / "photos", {f"{grey}.png": encoded_colour(grey) for grey in (0, 99, 200)})
    settings = ExtractorSettings(str(path), "unit", size=32)
    assert Network(path).most_images == 1
    for batch in (1, 3):
        assert extract(folder, tmp_path / f"{batch}", settings=settings, batch=batch) == (3, 0, 0)
    assert np.array_equal(open_store(tmp_path / "1").regions, open_store(tmp_path / "3").regions)


def test_an_interrupted_call_goes_on_with_reuse(source, extract, interrupted, tmp_path):
    extract(source, tmp_path / "old" / "out")
    interrupted(source, tmp_path / "new" / "out")
    assert extract(source, tmp_path / "new" / "out", reuse=tmp_path / "old" / "out") == (4, 2, 4)
    assert contents(tmp_path / "new" / "out") == contents(tmp_path / "old" / "out")


def of_an_earlier_version(directory):
    for name in ("file_hashes.npy", "files.json"):
        os.remove(directory / name)


def damaged(directory):
    features = np.load(directory / "regions.npy", mmap_mode="r+")
    features[0, 0, 0] += 1
    features.flush()


@pytest.mark.parametrize(
    "change, options, message",
    [
        (
            None,
            {"regions": 8},
            "old: its clustering is 'k-means to 32', here it is 'k-means to 8', so nothing of it can be reused",
        ),
        (
            None,
            {"size": 64},
            r"old: its extractor is 'cells of .*side 256\)', here it is .*side 64\)', so nothing of it can be reused",
        ),
        (of_an_earlier_version, {}, "file_hashes.npy: missing, so it is not known which photos are unchanged"),
        (damaged, {}, "old/regions.npy: its checksum is not the one in"),
        (lambda old: os.rename(old, old.parent / "elsewhere"), {}, "old: no such data set directory"),
    ],
)
def test_what_cannot_be_reused(extract, settings, tmp_path, change, options, message):
    folder = unpacked(tmp_path / "photos", {"grey.png": photos()["grey.png"]})
    extract(folder, tmp_path / "old")
    if change:
        change(tmp_path / "old")
    if "size" in options:
        options = {"settings": ExtractorSettings(settings.backbone, "unit", size=options["size"])}
    with pytest.raises(InputError, match=message) as caught:
        extract(folder, tmp_path / "out", reuse=tmp_path / "old", **options)
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_number_of_regions(source, extract, tmp_path):
    with pytest.raises(InputError, match="number of regions must be 1 or more, found 0"):
        extract(source, tmp_path / "out", regions=0)
