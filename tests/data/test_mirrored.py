"""Regions of mirrored photos: kept with the others, of training images, and drawn in their place."""

import json

import numpy as np
import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.batches import epoch_batches
from inflate_shrink.data.captions.records import Caption
from inflate_shrink.data.prepare import prepare, region_source
from inflate_shrink.data.store import open_store
from inflate_shrink.data.tokenized import TokenizedSplit
from inflate_shrink.data.verify import verify_store
from inflate_shrink.data.writer import StoreWriter
from inflate_shrink.errors import InputError

PLAIN, MIRRORED = 1.0, 2.0  # the features of all regions of a photo, and of its mirrored one
BOX = np.zeros((1, 4))


def write(directory, images, stop=None, **options):
    """Write images, of which those with an odd number have no mirrored photo, each with a caption to train on."""
    settings = dict(name="x", made_by="a test", regions=3, inputs={}, mirrored=True)
    with StoreWriter(directory, **{**settings, **options}) as writer:
        for number in range(writer.resumed, images):
            if number == stop:
                raise KeyboardInterrupt
            mirrored = None if number % 2 else np.full((2, 4), MIRRORED + 10 * number)
            writer.add_image(str(number), 0, 0, "", np.full((1, 4), PLAIN + 10 * number), BOX, mirrored=mirrored)
        for number in range(images):
            writer.add_caption("val" if number == 4 else "train", str(number), "A dog.")


@pytest.fixture
def mirrored(tmp_path):
    """The directory of a data set of six images, of which 0, 2 and 4 are there mirrored."""
    write(tmp_path / "six", 6)
    return tmp_path / "six"


def test_read_as_rows_after_all_others(mirrored):
    store = open_store(mirrored)
    assert store.with_mirrored(range(6)).tolist() == [True, False] * 3
    regions, counts = store.read_regions([8, 2, 6])
    assert regions[:, :, 0].tolist() == [[22, 22, 0], [21, 0, 0], [2, 2, 0]] and counts.tolist() == [2, 1, 2]


def test_taken_up(mirrored, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "again", 6, stop=3)
    write(tmp_path / "again", 6)
    for file in mirrored.iterdir():
        if file.name not in ("meta.json", "files.json"):  # they hold the name
            assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
    assert verify_store(tmp_path / "again").meta["mirrored_crc32"] == open_store(mirrored).meta["mirrored_crc32"]


def test_damage_is_noticed(mirrored):
    verify_store(mirrored)
    path = mirrored / "mirrored_regions.npy"
    content = bytearray(path.read_bytes())
    content[128] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"mirrored_regions.npy: its checksum is not the one in meta.json"):
        verify_store(mirrored)
    path.unlink()
    with pytest.raises(InputError, match=r"mirrored_regions.npy"):
        open_store(mirrored)


def test_a_feature_that_is_no_number_is_named(mirrored):
    path = mirrored / "mirrored_regions.npy"
    array = np.lib.format.open_memmap(path, "r+")
    array[2, 0, 0] = np.nan
    array.flush()
    with pytest.raises(InputError, match=r"mirrored_regions.npy: row 2 \(image 2\) contains NaN"):
        open_store(mirrored).read_regions([6, 8])


def test_mirrored_of_another_dimension_is_refused(tmp_path):
    with StoreWriter(tmp_path / "a", name="x", made_by="a test", mirrored=True) as writer:
        for _ in range(2):  # whether or not an image told the dimension
            with pytest.raises(InputError, match="image 'b': its regions have dimension 3, the data set's have 2"):
                writer.add_image("b", 1, 1, "", np.ones((1, 2)), BOX, mirrored=np.ones((1, 3)))
            if not len(writer):
                writer.add_image("a", 1, 1, "", np.ones((1, 2)), BOX)


def test_prepared_data_keep_those_of_the_split_train(mirrored, tmp_path):
    captions = [Caption(str(number), "a dog", "val" if number == 4 else "train", "here") for number in range(6)]
    source = region_source([str(mirrored)], "store", "")
    prepare(tmp_path / "out", captions, source, lambda usable: ["[PAD]"], bad=BadRecords(skip=False))
    store = open_store(tmp_path / "out")
    assert store.with_mirrored(range(6)).tolist() == [True, False, True, False, False, False]
    assert store.mirrored_regions[2, :3, 0].tolist() == [22, 22, 0]
    assert "mirrored_crc32" in json.loads((tmp_path / "out" / "meta.json").read_text())


def drawn(store, share, **options):
    """Return, of each sample of an epoch, its image and whether it was mirrored."""
    split = store.split("train")
    batches = epoch_batches(store, TokenizedSplit(split, np.zeros((5, 1), np.int64)), 1, 7, mirrored=share, **options)
    found = []
    for batch in batches:
        number = int(split.image_ids[batch.images[0]])
        expected = MIRRORED if batch.mirrored[0] else PLAIN
        assert batch.regions[0, 0, 0] == expected + 10 * number and batch.counts[0] == expected
        found.append((number, bool(batch.mirrored[0])))
    return found


def test_drawn_in_place_of_the_others(mirrored):
    store = open_store(mirrored)
    assert {mirrored for _, mirrored in drawn(store, 0.0, epoch=0)} == {False}
    assert all(mirrored == (number in (0, 2)) for number, mirrored in drawn(store, 1.0, epoch=0))
    epochs = [drawn(store, 0.5, epoch=epoch) for epoch in range(20)]
    assert {pair for epoch in epochs for pair in epoch if pair[0] == 0} == {(0, False), (0, True)}
    assert drawn(store, 0.5, epoch=3, first=2) == epochs[3][2:]  # as a resumed run draws
    assert [number for number, _ in epochs[3]] == [number for number, _ in drawn(store, 0.0, epoch=3)]


def test_a_data_set_without_them(animals):
    store = open_store(animals)
    assert not store.with_mirrored([0, 1]).any()
    batch = next(epoch_batches(store, TokenizedSplit(store.split("train"), np.zeros((3, 1))), 3, 0, 0, mirrored=1.0))
    assert batch.mirrored.tolist() == [False] * 3
