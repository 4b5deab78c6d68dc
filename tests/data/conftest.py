"""A hand-made data set of three images, small enough to check by eye."""

import numpy as np
import pytest

from inflate_shrink.data.writer import StoreWriter

REGIONS = {  # image id -> its valid regions, R = 2, D = 3
    "cat": [[1, 2, 3], [4, 5, 6]],
    "dog": [[7, 8, 9]],
    "owl": [[10, 11, 12], [13, 14, 15]],
}
CAPTIONS = [
    ("test", "owl", "An owl."),
    ("train", "dog", "A dog."),
    ("train", "cat", "A cat."),
    ("train", "dog", "The same dog \u2028 again."),  # a Unicode line separator is not a line end
]


def _write(directory, **options):
    settings = dict(regions=2, name="animals", made_by="a test", dtype="float32")
    with StoreWriter(directory, **{**settings, **options}) as writer:
        for image_id, regions in REGIONS.items():
            boxes = np.arange(4) + np.zeros((len(regions), 1))
            writer.add_image(image_id, 640, 480, f"{image_id}.jpg", np.array(regions), boxes)
        for caption in CAPTIONS:
            writer.add_caption(*caption)


@pytest.fixture
def write_animals():
    """A function that writes the data set to a directory, with other options of StoreWriter if given."""
    return _write


@pytest.fixture
def animals(tmp_path):
    """The directory of the data set."""
    _write(tmp_path / "animals")
    return tmp_path / "animals"
