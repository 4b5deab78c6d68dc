"""Every byte of a data set is compared with what was written."""

import numpy as np
import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.data.verify import verify_store
from inflate_shrink.errors import InputError


def flip(path, place, bit=0):
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


@pytest.mark.parametrize("dtype, inputs", [("float16", None), ("float32", {})])
def test_whole(tmp_path, write_animals, dtype, inputs):
    write_animals(tmp_path / "a", dtype=dtype, inputs=inputs)
    assert verify_store(tmp_path / "a").image_ids == ["cat", "dog", "owl"]


def test_flipped_feature_is_named(animals):
    places = {  # of rows of 2 x 3 numbers of 4 bytes after a header of 128 bytes; row 1 has one region
        "regions.npy: its checksum is not the one in meta.json": 128 + 24,
        r"regions.npy: row 1 \(image dog\) has numbers after its 1 regions": 128 + 24 + 12,
    }
    for message, place in places.items():
        flip(animals / "regions.npy", place)
        open_store(animals)  # which does not read the features
        with pytest.raises(InputError, match=message):
            verify_store(animals)
        flip(animals / "regions.npy", place)


def test_data_set_of_before_there_was_a_list(animals):
    (animals / "files.json").unlink()
    verify_store(animals)
    flip(animals / "regions.npy", -1)
    with pytest.raises(InputError, match="regions.npy: its checksum"):
        verify_store(animals)


def test_other_order_of_the_images(animals):
    regions = np.load(animals / "regions.npy", mmap_mode="r+")
    regions[[0, 2]] = regions[[2, 0]]
    regions.flush()
    with pytest.raises(InputError, match="regions.npy: its checksum"):
        verify_store(animals)
