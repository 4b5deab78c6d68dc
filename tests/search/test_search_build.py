"""Building an index and adding to it: what is there, what is encoded anew."""

import json
import shutil
import zlib

import numpy as np
import paddle
import pytest
from index_items import QUERY, ids_of, same_root

from inflate_shrink.data.store import open_store
from inflate_shrink.engine import encode
from inflate_shrink.errors import InputError
from inflate_shrink.kernel import decode_rows
from inflate_shrink.search.build import Models, add_onnx_encoders, add_to_index
from inflate_shrink.search.describe import describe_index
from inflate_shrink.search.index import FieldSettings, IndexWriter, manifest, open_index, verify_index
from inflate_shrink.search.searcher import Searcher


@pytest.mark.slow
@pytest.mark.parametrize("split, count", [("", 42), ("val", 8)])
def test_images(built, tiny_data, split, count):
    store = open_store(tiny_data)
    directory = built("B", split=split)
    verify_index(directory)
    index = open_index(directory)
    (segment,) = index.segments
    chosen = [row for row, image in enumerate(store.image_ids) if image.startswith(split)]
    assert len(index) == count and list(segment.ids) == [store.image_ids[row] for row in chosen]
    assert list(segment.files) == [store.image_files[row] for row in chosen]
    assert index.settings.fields == {"fragments": FieldSettings("float32", 16)}
    origin = index.settings.origin
    assert (origin["model"]["fragments"], origin["data"]["split"], origin["data"]["fingerprint"]) == (
        4,
        split,
        store.fingerprint(),
    )


@pytest.fixture(scope="module")
def vectors(checkpoint, tiny_data):
    """A function: the model -> its fragments (R, 16) of all images."""
    store = open_store(tiny_data)
    return lambda name: (
        encode.encode_images(checkpoint(name).load_model(), store, np.arange(42)).vectors.numpy().reshape(-1, 16)
    )


@pytest.mark.slow
def test_int8_is_centred_on_the_mean(built, vectors):
    index = open_index(built("B", first=True, precision="int8"))
    assert [(name, field.precision, field.dim) for name, field in index.settings.fields.items()] == [
        ("fragments", "int8", 16),
        ("vector", "int8", 16),
    ]
    for field, name in (("fragments", "B"), ("vector", "F")):
        rows, expected = index.segments[0].stored(field), vectors(name)
        np.testing.assert_allclose(rows.center, expected.mean(0), atol=1e-5)
        np.testing.assert_allclose(
            decode_rows(rows.values, rows.scales, rows.precision, rows.dim, rows.center), expected, atol=0.01
        )


def test_nearest_centroids_are_those_of_the_fragments(built, vectors):
    directory = built("B", centroids=16)
    index, centroids = open_index(directory), np.load(directory / "centroids.npy")
    assert list(index.settings.fields) == ["fragments", "codes"] and centroids.shape == (16, 16)
    nearest, products = index.segments[0].stored("codes").values, vectors("B") @ centroids.T
    np.testing.assert_allclose(
        np.take_along_axis(products, nearest[:, None].astype(np.int64), 1)[:, 0], products.max(1), atol=0.01
    )
    assert len(np.unique(nearest)) > 4


def test_so_many_centroids_as_suit(built):
    directory = built("B", centroids=-1)  # of 168 fragments: 256, but no more than there are
    assert np.load(directory / "centroids.npy").shape == (168, 16)


def test_padding_that_is_masked_is_not_stored(built, checkpoint, tiny_data):
    store, masked = open_store(tiny_data), checkpoint("I", "masked")
    segment = open_index(built("I", "masked", holds="captions")).segments[0]
    ids = masked.tokenizer()(store.captions)
    expected = (ids != 0).sum(1) + 3  # and the codes
    assert expected.min() < expected.max()
    np.testing.assert_array_equal(np.diff(segment.stored("fragments").offsets), expected)
    assert segment.ids[7] == f"{store.image_ids[store.caption_rows[7]]}#7" and segment.files[7] == store.captions[7]


def test_what_is_there_is_not_added_twice(own_index, checkpoint, tiny_data):
    directory, models = own_index("B", split="val"), Models(checkpoint("B"))
    assert add_to_index(directory, models, tiny_data, "val") == 0 and open_index(directory).commit == 1
    assert add_to_index(directory, models, tiny_data) == 34 and open_index(directory).commit == 2
    assert sorted(ids_of(directory)) == sorted(open_store(tiny_data).image_ids)
    with IndexWriter(directory) as writer:
        writer.delete(["val-00001", "train-00000"])
        writer.commit()
    assert add_to_index(directory, models, tiny_data) == 2 and len(open_index(directory)) == 42
    assert ids_of(directory)[-2:] == ["train-00000", "val-00001"]


@pytest.mark.skipif(paddle.__version__.startswith("2."), reason="paddle2onnx needs Paddle 3")
def test_onnx_files_added_later(built, tmp_path):
    shutil.copytree(built("B", first=True), tmp_path / "index")
    directory, before = tmp_path / "index", Searcher(tmp_path / "index")
    expected = before.search("a red ball", 3)
    assert add_onnx_encoders(directory) == ["encoder", "first_encoder"] and add_onnx_encoders(directory) == []
    searcher = Searcher(directory)
    assert (
        before.refresh() and searcher.index.commit == before.index.commit == open_index(built("B", first=True)).commit
    )
    found = searcher.search("a red ball", 3)
    assert [hit.id for hit in found] == [hit.id for hit in expected]
    np.testing.assert_allclose([hit.score for hit in found], [hit.score for hit in expected], atol=1e-4)
    verify_index(directory)
    (directory / "encoder/model.onnx").write_bytes(b"cut short")
    with pytest.raises(InputError, match="encoder/model.onnx"):
        open_index(directory)


def test_replace(own_index, checkpoint, own_data):
    directory, models = own_index("B", split="val"), Models(checkpoint("B"))
    same_root(own_data, directory)
    before = Searcher(directory).search(QUERY, k=8)
    store = open_store(own_data)
    regions = np.load(own_data / "regions.npy", mmap_mode="r+")
    of = {image: row for row, image in enumerate(store.image_ids)}
    regions[[of["val-00001"], of["val-00002"]]] = regions[[of["val-00002"], of["val-00001"]]]
    counts = np.load(own_data / "region_counts.npy", mmap_mode="r+")
    counts[[of["val-00001"], of["val-00002"]]] = counts[[of["val-00002"], of["val-00001"]]]
    regions.flush(), counts.flush()
    assert add_to_index(directory, models, own_data, "val") == 0 and Searcher(directory).search(QUERY, k=8) == before
    assert add_to_index(directory, models, own_data, "val", replace=True) == 8
    swapped = {"val-00001": "val-00002", "val-00002": "val-00001"}
    scores = {swapped.get(hit.id, hit.id): hit.score for hit in before}
    after = {hit.id: hit.score for hit in Searcher(directory).search(QUERY, k=8)}
    assert after == pytest.approx(scores, abs=1e-6) and len(ids_of(directory)) == 8
    assert scores["val-00001"] != scores["val-00002"]


def test_an_index_names_all_data_it_was_made_of(own_index, checkpoint, own_data, tiny_data):
    directory, models = own_index("B", split="val"), Models(checkpoint("B"))
    reader = open_index(directory)
    (first,) = reader.manifest.data
    assert (first["directory"], first["split"]) == (str(tiny_data), "val")
    assert add_to_index(directory, models, own_data, "test", replace=True) == 10
    assert reader.refresh()  # and takes it for the same index
    second = {
        "directory": str(own_data),
        "split": "test",
        "fingerprint": open_store(own_data).fingerprint(),
        "image_root": str(own_data),
    }
    assert reader.manifest.data == (first, second)
    assert add_to_index(directory, models, own_data, "test", replace=True) == 10
    assert add_to_index(directory, models, tiny_data, "val") == 0
    with IndexWriter(directory) as writer:
        writer.compact()
        writer.commit()
    index = open_index(directory)
    assert index.manifest.data == (first, second)
    lines = describe_index(index).splitlines()
    assert lines[-2:] == [
        f"data: {data['directory']}, split {data['split']}, {data['fingerprint']}" for data in (first, second)
    ]


def test_an_older_index_names_its_first_data(own_index, checkpoint, tiny_data):
    directory = own_index("B", split="val")
    path = directory / "manifest.json"
    value = json.loads(path.read_text())
    first = value["settings"]["origin"]["data"]
    del value["crc32"], value["data"]
    body = json.dumps(value, indent=1)[: -len("\n}")].encode()
    path.write_bytes(body + (manifest._END % zlib.crc32(body)).encode())
    assert open_index(directory).manifest.data == (first,)
    add_to_index(directory, Models(checkpoint("B")), tiny_data, "test")
    assert open_index(directory).manifest.data == (first, {**first, "split": "test"})


def test_photos_of_two_folders(own_index, checkpoint, own_data, tiny_data):
    """Those of the second are stored with their whole path; an id has one photo."""
    with_files(own_data)
    directory, models = own_index("B", split="val"), Models(checkpoint("B"))
    with pytest.raises(
        InputError,
        match=r"index: 'val-0000\d' is of '.*' there, and of '/elsewhere/.*png' in the data to add; .* --replace",
    ):
        add_to_index(directory, models, own_data, "val")
    assert (
        add_to_index(directory, models, own_data, "test") == 10
        and add_to_index(directory, models, own_data, "test") == 0
    )
    found = {hit.id: hit.file for hit in Searcher(directory).search(QUERY, k=18)}
    assert found["test-00002"] == "/elsewhere/test-00002.png" and len(found) == 18
    store = open_store(tiny_data)
    file = store.image_path(store.image_ids.index("val-00000"))
    assert found["val-00000"] == ("" if file is None else str(file))


def with_files(data):
    """Give every image of a data set a file of its id in /elsewhere."""
    (data / "files.json").unlink(missing_ok=True)
    meta = json.loads((data / "meta.json").read_text())
    (data / "meta.json").write_text(json.dumps({**meta, "image_root": "/elsewhere"}))
    header, *lines = (data / "images.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    column = header.split("\t").index("file")
    for row in rows:
        row[column] = f"{row[0]}.png"
    (data / "images.tsv").write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")
