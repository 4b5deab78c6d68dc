import numpy as np
import pytest

from inflate_shrink.data.clustering import cluster_regions


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_rows(tmp_path, read, write_animals, dtype):
    write_animals(tmp_path / "animals", dtype=dtype)
    found, _ = read("store", tmp_path / "animals")
    assert list(found) == ["cat", "dog", "owl"]
    regions = found["dog"]
    # The empty slot is not given.
    assert regions.features.tolist() == [[7, 8, 9]] and regions.features.dtype == np.float32
    assert regions.boxes.tolist() == [[0, 1, 2, 3]]
    assert regions[2:5] == (640, 480, "dog.jpg")
    centres, _ = cluster_regions(found["cat"].features, found["cat"].boxes)
    assert centres.shape == (2, 3) and (centres == found["cat"].features).all()


def test_bad_row_and_bad_store(animals, read, refused):
    features = np.load(animals / "regions.npy", mmap_mode="r+")
    features[1, 0, 2] = np.nan
    features.flush()
    refused("store", animals, says=["regions.npy: row 1 (image dog): features contain NaN"])
    found, bad = read("store", animals, skip=True)
    assert list(found) == ["cat", "owl"] and bad == 1
    refused("store", animals / "none", says=["none: no such data set directory"])
