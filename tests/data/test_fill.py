"""Images stream through worker processes into a data set, each described once; what cannot be used is said by its place."""

import numpy as np
import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.fill import fill_store
from inflate_shrink.data.region_files.records import RegionItem, Regions
from inflate_shrink.data.store import open_store
from inflate_shrink.data.writer import StoreWriter
from inflate_shrink.errors import InputError


class Reader:
    """Regions of as many equal rows as an item's payload says, the first of which tells the payload; 0: none; below: refused."""

    def __init__(self, dimension):
        self.dimension = dimension

    def __call__(self, item):
        if item.payload < 0:
            raise InputError(f"{item.where}: refused")
        rows = np.arange(item.payload * self.dimension, dtype=np.float32).reshape(item.payload, self.dimension)
        return Regions(
            rows[:, : 1 if item.image_id == "thin" else None],
            np.ones((item.payload, 4)),
            5,
            6,
            f"{item.image_id}.jpg",
            7,
        )


def fill(directory, *payloads, bad=None, inputs=None, stop=False, **names):
    with StoreWriter(directory, name="x", made_by="a test", regions=3, inputs=inputs, file_hashes=True) as writer:
        items = [
            RegionItem(names.get(f"name{n}", str(n)), f"file: line {n}", payload) for n, payload in enumerate(payloads)
        ]
        fill_store(writer, items, len(items), Reader, (2,), task="test", workers=1, bad=bad or BadRecords())
        if stop:
            raise KeyboardInterrupt
        return writer.resumed


def test_in_order_and_clustered(tmp_path):
    fill(tmp_path / "out", 1, 4, 3)
    store = open_store(tmp_path / "out")
    assert store.image_ids == ["0", "1", "2"] and store.image_files == ["0.jpg", "1.jpg", "2.jpg"]
    assert store.image_sizes.tolist() == [[5, 6]] * 3 and store.region_counts.tolist() == [1, 3, 3]
    assert store.regions[2].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert np.load(tmp_path / "out" / "file_hashes.npy").tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    "payload, name, message",
    [
        (-1, "1", "file: line 1: refused"),
        (0, "1", "file: line 1: expected region features of shape"),
        (1, "thin", "file: line 1: .*: image 'thin': its regions have dimension 1, the data set's have 2"),
        (1, "0", None),  # it is there already: passed over
    ],
)
def test_bad_items(tmp_path, capsys, payload, name, message):
    bad = BadRecords(skip=True)
    fill(tmp_path / "out", 1, payload, 2, bad=bad, name1=name)
    assert open_store(tmp_path / "out").image_ids == ["0", "2"]
    assert bad.count == (message is not None)
    if message:
        with pytest.raises(InputError, match=message):
            fill(tmp_path / "strict", 1, payload, 2, name1=name)


def test_what_an_earlier_call_has_added_is_not_read_again(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "out", 1, 2, inputs={}, stop=True)
    assert fill(tmp_path / "out", -1, -1, 3, inputs={}) == 2
    assert open_store(tmp_path / "out").region_counts.tolist() == [1, 2, 3]
