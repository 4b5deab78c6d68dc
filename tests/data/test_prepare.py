"""Captions and region files become a data set: matched, clustered, in order, whole or not at all, and in little memory."""

import base64
import multiprocessing
import os
import weakref

import numpy as np
import pytest
from prepare_calls import captions_of, run

from inflate_shrink.data import prepare as module
from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.clustering import cluster_regions
from inflate_shrink.data.prepare import prepare, region_source, split_sizes
from inflate_shrink.data.region_files import FORMATS
from inflate_shrink.data.region_files.records import RegionItem, Regions
from inflate_shrink.data.store import open_store
from inflate_shrink.errors import InputError

A, B, C = [[1, 2], [3, 4]], [[5, 6]], [[7, 8], [9, 10], [11, 12]]
MANY = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


def line(image_id, features):
    """Of bottom-up attention's TSV; the boxes are 0 1 2 3, 4 5 6 7, ..."""
    features = np.asarray(features, "<f4")
    boxes = np.arange(4 * len(features), dtype="<f4")
    return (
        "\t".join(
            [
                image_id,
                "64",
                "48",
                str(len(features)),
                *(base64.b64encode(array.tobytes()).decode() for array in (boxes, features)),
            ]
        )
        + "\n"
    )


def boxes_of(count):
    return np.arange(4 * count, dtype=np.float32).reshape(count, 4)


@pytest.fixture
def write(tmp_path):
    """A function: image id -> features, to the path of a file."""

    def write(name="regions.tsv", **images):
        (tmp_path / name).write_text("".join(line(image_id, features) for image_id, features in images.items()))
        return tmp_path / name

    return write


CAPTIONS = captions_of("train b.jpg A bird.", "train a.jpg A cat.", "val c.jpg One cow.", "train b.jpg The bird.")


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_what_is_written(tmp_path, write):
    done = run(tmp_path / "out", CAPTIONS, write(a=A, b=B, c=C))
    assert (done.images, done.resumed, done.captions, done.without) == (3, 0, CAPTIONS, 0)
    assert sorted(os.listdir(tmp_path)) == ["out", "regions.tsv"]
    store = open_store(tmp_path / "out")
    assert store.image_ids == ["a.jpg", "b.jpg", "c.jpg"]  # the regions' order, the captions' names
    assert store.image_sizes.tolist() == [[64, 48]] * 3 and store.image_path(0) is None
    assert store.regions.shape == (3, 32, 2) and store.regions.dtype == np.float16
    for row, features in enumerate((A, B, C)):
        count = store.region_counts[row]
        assert store.regions[row, :count].tolist() == features and not store.regions[row, count:].any()
        assert store.boxes[row, :count].tolist() == boxes_of(len(features)).tolist()
    assert list(zip(store.caption_splits, store.caption_rows, store.captions)) == [
        ("train", 1, "A bird."),
        ("train", 0, "A cat."),
        ("val", 2, "One cow."),
        ("train", 1, "The bird."),
    ]
    assert store.vocabulary.read_text() == "[PAD]\nA bird.\nA cat.\nOne cow.\nThe bird.\n"
    assert (store.meta["name"], store.meta["extractor"], store.meta["clustering"]) == (
        "out",
        "my detector",
        "k-means to 32",
    )


def test_split_sizes():
    assert split_sizes(CAPTIONS) == "train: 2 images, 3 captions; val: 1 images, 1 captions"


@pytest.mark.parametrize("regions", [1, 32, 40, 64])
def test_more_regions_are_clustered_and_fewer_kept(tmp_path, write, regions):
    run(tmp_path / "out", captions_of("train a A cat."), write(a=MANY), regions=regions, dtype="float32")
    store = open_store(tmp_path / "out")
    centres, boxes = cluster_regions(MANY, boxes_of(40), regions)
    count = len(centres)
    assert store.region_counts.tolist() == [count] == [min(regions, 40)]
    np.testing.assert_array_equal(store.regions[0, :count], centres)
    np.testing.assert_array_equal(store.boxes[0, :count], boxes)
    assert not store.regions[0, count:].any() and not store.boxes[0, count:].any()


def test_names_of_two_kinds(tmp_path, write):
    captions = captions_of(
        "train COCO_val2014_000000000017.jpg A cat.", "train sub/10.PNG A bird.", "train 5.jpg A cow."
    )
    path = write(**{"17": A, "flickr30k_0010": B, "5": C})
    run(tmp_path / "out", captions, path)
    store = open_store(tmp_path / "out")
    assert (
        store.image_ids == ["COCO_val2014_000000000017.jpg", "sub/10.PNG", "5.jpg"]
        and store.regions[1, 0].tolist() == B[0]
    )


def test_images_without_captions_are_left_out(tmp_path, write):
    done = run(tmp_path / "out", CAPTIONS, write(a=A, x=A, b=B, c=C, y=B))
    assert (done.images, done.without) == (3, 2) and open_store(tmp_path / "out").image_ids == [
        "a.jpg",
        "b.jpg",
        "c.jpg",
    ]


BAD = {  # name -> (region files, captions beyond CAPTIONS, what the message holds, what is left)
    "no regions": (
        [dict(a=A, b=B, c=C)],
        ["test d A dog."],
        ["captions.txt: line 1: image 'd' has no regions in", "one.tsv"],
        "abc",
    ),
    "twice": (
        [dict(a=A, b=B), dict(c=C, a=C)],
        [],
        ["two.tsv: line 2: image 'a' is already at", "one.tsv: line 1; ids must be unique"],
        "abc",
    ),
    "another dimension": (
        [dict(a=A, b=[[1, 2, 3]], c=C)],
        [],
        ["one.tsv: line 2: ", "image 'b.jpg': its regions have dimension 3"],
        "ac",
    ),
    "not a number": ([dict(a=A, b=B, c=[[1, np.nan]])], [], ["one.tsv: line 3: features contain NaN"], "ab"),
    "too large": (
        [dict(a=A, b=[[1, 1e6]], c=C)],
        [],
        ["one.tsv: line 2: ", "image 'b.jpg'", "too large for float16"],
        "ac",
    ),
}


@pytest.mark.parametrize("files, more, parts, left", BAD.values(), ids=BAD)
def test_bad_records(tmp_path, write, capsys, files, more, parts, left):
    paths = [write(name, **images) for name, images in zip(("one.tsv", "two.tsv"), files)]
    captions, before = CAPTIONS + captions_of(*more), os.listdir(tmp_path)
    with pytest.raises(InputError) as caught:
        run(tmp_path / "out", captions, *paths)
    assert os.listdir(tmp_path) == before and capsys.readouterr().err == ""
    bad = BadRecords(skip=True)
    done = run(tmp_path / "out", captions, *paths, bad=bad)
    skipped = capsys.readouterr().err
    for message in (str(caught.value), skipped.rstrip("\n")):
        assert "\n" not in message and all(part in message for part in parts), message
    assert "--skip-bad" in str(caught.value) and skipped.startswith("skipped: ") and bad.count == 1
    assert open_store(tmp_path / "out").image_ids == [f"{name}.jpg" for name in left]
    assert done.captions == [caption for caption in CAPTIONS if caption.image_id[0] in left] and done.images == len(
        left
    )


def test_a_path_given_twice_counts_once(tmp_path, write, capsys):
    path, bad = write(a=A, b=B, c=C), BadRecords(skip=True)
    assert run(tmp_path / "out", CAPTIONS, path, path, bad=bad).images == 3
    assert bad.count == 3 and capsys.readouterr().err.count("already at") == 3


@pytest.mark.parametrize(
    "images, options, message",
    [
        (dict(x=A), {}, "no image of the captions has regions in .*regions.tsv; do both name their images alike"),
        (
            dict(a=[[np.inf]]),
            {},
            "regions.tsv: none of the 1 images with captions has usable regions; nothing was written",
        ),
        (dict(a=A), {"regions": 0}, "number of clusters must be 1 or more, found 0"),
    ],
)
def test_nothing_to_write(tmp_path, write, images, options, message):
    path = write(**images)
    with pytest.raises(InputError, match=message):
        run(tmp_path / "out", CAPTIONS, path, bad=BadRecords(skip=True), **options)
    assert os.listdir(tmp_path) == ["regions.tsv"]


def test_refused_before_the_features_are_read(tmp_path, write, monkeypatch):
    """What is known before takes no hours to be told."""
    path = write(a=A, b=B, c=C)

    def fail(captions):
        raise InputError("no words")

    monkeypatch.setitem(FORMATS, "tsv", FORMATS["tsv"]._replace(decode=None))
    with pytest.raises(InputError, match="no words"):
        prepare(tmp_path / "out", CAPTIONS, region_source([str(path)], "tsv", ""), fail, bad=BadRecords())
    (tmp_path / "out").mkdir()
    monkeypatch.setitem(FORMATS, "tsv", None)
    with pytest.raises(InputError, match="out: already exists and is not replaced"):
        run(tmp_path / "out", CAPTIONS, path)
    with pytest.raises(InputError, match="none.tsv: no such file or directory of regions"):
        region_source([str(tmp_path / "none.tsv")], "tsv", "")


def test_images_of_no_split_are_passed_over(tmp_path, write, capsys):
    bad = BadRecords()
    assert run(tmp_path / "out", CAPTIONS, write(a=A, x=A, b=B, c=C), bad=bad, unused={"x.jpg"}).images == 3
    assert (bad.count, capsys.readouterr().err) == (0, "")


@pytest.fixture
def interrupted(monkeypatch):
    """A function: call it, but press Ctrl-C when its third image is decoded."""

    def interrupted(call, format="tsv"):
        calls, decode = [], FORMATS[format].decode

        def stop(item):
            calls.append(item)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return decode(item)

        with monkeypatch.context() as patch:
            patch.setitem(FORMATS, format, FORMATS[format]._replace(decode=stop))
            with pytest.raises(KeyboardInterrupt):
                call()

    return interrupted


@pytest.mark.parametrize(
    "captions, images, resumed",
    [
        (CAPTIONS, dict(a=A, b=B, c=C), 2),
        # Other texts and splits.
        (
            captions_of("val c.jpg Cow.", "val a.jpg Cat.", "test b.jpg Bird."),
            dict(a=A, b=B, c=C),
            2,
        ),
        # Other images.
        (
            captions_of("train a.jpg A cat.", "val c.jpg One cow.", "train d.jpg A dog."),
            dict(a=A, b=B, c=C, d=A),
            0,
        ),
        (CAPTIONS, dict(a=B, b=A, c=C), 0),  # other features
    ],
)
def test_taken_up(tmp_path, write, interrupted, capsys, captions, images, resumed):
    path = write(a=A, b=B, c=C)
    interrupted(lambda: run(tmp_path / "here" / "out", CAPTIONS, path))
    assert os.listdir(tmp_path / "here") == [".out.partial"]
    if images != dict(a=A, b=B, c=C):
        path = write(**images)
    for directory, expected in ((tmp_path / "here", resumed), (tmp_path / "there", 0)):
        done = run(directory / "out", captions, path, bad=BadRecords(skip=True))
        assert (done.images, done.resumed) == (3, expected) and os.listdir(directory) == ["out"]
    assert contents(tmp_path / "here" / "out") == contents(tmp_path / "there" / "out")


def test_a_changed_file_of_a_folder_begins_anew(tmp_path, interrupted):
    (tmp_path / "npz").mkdir()
    for name, features in (("a", A), ("b", B), ("c", C)):
        np.savez(tmp_path / "npz" / name, features=features, norm_bb=np.zeros((len(features), 6)))

    def call():
        return run(tmp_path / "out", CAPTIONS, tmp_path / "npz", format="npz")

    interrupted(call, "npz")
    interrupted(lambda: np.savez(tmp_path / "npz" / "a", features=C, norm_bb=np.zeros((3, 6))) or call(), "npz")
    assert call().resumed == 2 and open_store(tmp_path / "out").regions[0, :3].tolist() == C


@pytest.mark.slow
def test_workers_give_the_same_bytes(tmp_path, write, capsys):
    path = write(a=MANY, b=MANY[:20] + 1, c=[[1, np.nan, 2]], d=MANY[::-1])
    captions = CAPTIONS + captions_of("test d.jpg A dog.")
    for workers in (1, 2):
        run(tmp_path / str(workers) / "out", captions, path, workers=workers, bad=BadRecords(skip=True))
    assert contents(tmp_path / "1" / "out") == contents(tmp_path / "2" / "out")
    one, two = capsys.readouterr().err.splitlines()
    assert one == two and "line 3" in one
    with pytest.raises(InputError) as caught:
        run(tmp_path / "out", captions, path, workers=2)
    assert "line 3" in str(caught.value) and not multiprocessing.active_children()  # though the traceback is still held


def test_one_image_in_memory_at_a_time(tmp_path, monkeypatch):
    alive = {"payload": 0, "features": 0}
    most = dict(alive)

    def tracked(kind, thing):
        alive[kind] += 1
        most[kind] = max(most[kind], alive[kind])
        weakref.finalize(thing, lambda: alive.update({kind: alive[kind] - 1}))
        return thing

    class Payload:
        pass

    def items(paths, bad):
        for number in range(50):
            yield RegionItem(str(number), f"number {number}", tracked("payload", Payload()))

    def decode(item):
        return Regions(tracked("features", np.ones((40, 3), np.float32)), boxes_of(40), 1, 1)

    monkeypatch.setitem(FORMATS, "tsv", module.FORMATS["tsv"]._replace(items=items, decode=decode))
    captions = captions_of(*(f"train {number} A cat." for number in range(50)))
    assert run(tmp_path / "out", captions, tmp_path).images == 50
    assert most["payload"] <= 3 and most["features"] <= 2 and not any(alive.values())
