"""Boxes, their features, and what the networks are shown."""

import numpy as np
import pytest
from PIL import Image

from inflate_shrink.data.extractors import same_extractor
from inflate_shrink.data.region_files.records import Regions
from inflate_shrink.errors import InputError
from inflate_shrink.extract.decode import Photo
from inflate_shrink.extract.extractor import Extractor, ExtractorSettings

RED, BLUE = (255, 0, 0), (0, 0, 255)


def halves(width=64, height=64):
    """Left half red, right half blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return Photo(image, width, height)


def test_grid_cells_in_reading_order(backbone):
    found = Extractor(ExtractorSettings(str(backbone), "unit", size=64))(halves())
    assert found.boxes.tolist() == [[0, 0, 32, 32], [32, 0, 64, 32], [0, 32, 32, 64], [32, 32, 64, 64]]
    np.testing.assert_allclose(found.features, [[1, 0, 0], [0, 0, 1]] * 2, atol=0.01)
    assert (found.width, found.height) == (64, 64) and found.features.dtype == np.float32


# The grid is at most twice as long as short.
@pytest.mark.parametrize(
    "width, height, cells",
    [
        (200, 100, (2, 4)),
        (100, 200, (4, 2)),
        (90, 100, (2, 2)),
        (1000, 10, (2, 4)),
        (1, 1, (2, 2)),
    ],
)
def test_grid_follows_the_photos_shape(backbone, width, height, cells):
    found = Extractor(ExtractorSettings(str(backbone), "unit", size=64))(
        Photo(Image.new("RGB", (width, height)), width, height)
    )
    assert len(found.boxes) == cells[0] * cells[1]
    assert found.boxes[-1].tolist() == [
        pytest.approx(width - width / cells[1]),
        pytest.approx(height - height / cells[0]),
        width,
        height,
    ]


def test_boxes_best_first_clipped_and_never_empty(backbone, detector):
    found = Extractor(ExtractorSettings(str(backbone), "unit", str(detector), "boxes", size=64))(halves(128, 128))
    assert found.boxes.tolist() == [[0, 64, 128, 128], [0, 0, 64, 128]]
    # Points near the border see the other half.
    np.testing.assert_allclose(found.features, [[0.5, 0, 0.5], [1, 0, 0]], atol=0.13)


def test_number_of_boxes(backbone, detector):
    found = Extractor(ExtractorSettings(str(backbone), "unit", str(detector), "boxes", size=64, boxes=1))(
        halves(128, 128)
    )
    assert found.boxes.tolist() == [[0, 64, 128, 128]]


def test_a_wide_photo_is_not_squeezed_for_the_detector(backbone, detector):
    found = Extractor(ExtractorSettings(str(backbone), "unit", str(detector), "boxes", size=64))(halves(128, 64))
    # 640 x 320 of the 640 x 640 input are the photo: the third box lies below it, the first covers its left half
    assert found.boxes.tolist() == [[0, 0, 64, 64]]


def test_colour_and_scale_of_presets(backbone):
    red = Photo(Image.new("RGB", (32, 32), RED), 32, 32)
    centred, caffe = (
        Extractor(ExtractorSettings(str(backbone), preset, size=32))(red).features[0] for preset in ("centred", "caffe")
    )
    np.testing.assert_allclose(centred, [127 / 128, -1, -1], rtol=1e-6)
    np.testing.assert_allclose(caffe, [-102.9801, -115.9465, 255 - 122.7717], rtol=1e-4)


def test_a_reduced_photo_keeps_its_size_in_the_boxes(backbone):
    found = Extractor(ExtractorSettings(str(backbone), "unit", size=64))(Photo(halves().image, 6400, 6400))
    assert found.boxes[-1].tolist() == [3200, 3200, 6400, 6400]


def test_check_names_networks_and_presets(backbone, detector):
    grid = Extractor(ExtractorSettings(str(backbone), "unit")).check()
    assert grid.startswith("cells of backbone mean.onnx sha256:") and grid.endswith("(unit, shorter side 320)")
    both = Extractor(ExtractorSettings(str(backbone), "unit", str(detector), "boxes")).check()
    assert both.startswith("100 boxes of boxes.onnx sha256:") and "RoIAlign on backbone mean.onnx" in both
    whole = Extractor(ExtractorSettings(str(backbone), "unit", whole=True)).check()
    assert whole == f"the whole photo and {grid}" and not same_extractor(whole, grid)
    power = Extractor(ExtractorSettings(str(backbone), "unit", power=0.5)).check()
    assert power == f"{grid}, to the power 0.5" and not same_extractor(power, grid)


def test_power_after_clustering(backbone):
    # the last two become one cluster, whose mean is (-16, 5)
    numbers, boxes = np.array([[0, 0], [-18, 4], [-14, 6]], np.float32), np.zeros((3, 4), np.float32)
    regions = Regions(numbers, boxes, 1, 1, mirrored=-numbers)
    found = Extractor(ExtractorSettings(str(backbone), "unit", power=0.5)).cluster(regions, 2)
    np.testing.assert_allclose(found.features, [[-4, np.sqrt(5)], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(found.mirrored, [[4, -np.sqrt(5)], [0, 0]], rtol=1e-6)
    assert found.features.dtype == found.mirrored.dtype == np.float32
    as_before = Extractor(ExtractorSettings(str(backbone), "unit", whole=True)).cluster(regions, 2)
    assert as_before.features.tolist() == [[0, 0], [-16, 5]]  # the first region is the whole photo


def test_networks_that_do_not_fit(backbone, detector):
    with pytest.raises(InputError, match="boxes.onnx: expected a feature map"):
        Extractor(ExtractorSettings(str(detector), "unit")).check()
    with pytest.raises(InputError, match=r"mean.onnx: yolox: expected one output of three dimensions"):
        Extractor(ExtractorSettings(str(backbone), "unit", str(backbone), "yolox")).check()
    with pytest.raises(InputError, match="--size must be 32 or more, found 7"):
        ExtractorSettings(str(backbone), size=7)
    for power in (0.0, 1.5, float("nan")):
        with pytest.raises(InputError, match=f"--power must be above 0 and 1 at most, found {power}"):
            ExtractorSettings(str(backbone), power=power)
