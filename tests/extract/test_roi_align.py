"""RoIAlign against a loop over its points in float64."""

import math

import numpy as np
import pytest

from inflate_shrink.extract.roi_align import SAMPLES, roi_align


def bilinear(plane, y, x):
    """The value at a point, cell centres at .5; outside the centres the border's value."""
    height, width = plane.shape
    y, x = min(max(y - 0.5, 0), height - 1), min(max(x - 0.5, 0), width - 1)
    y0, x0 = math.floor(y), math.floor(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    top = plane[y0, x0] * (x0 + 1 - x) + plane[y0, x1] * (x - x0)
    bottom = plane[y1, x0] * (x0 + 1 - x) + plane[y1, x1] * (x - x0)
    return top * (y0 + 1 - y) + bottom * (y - y0)


def test_equals_a_loop_over_the_points():
    random = np.random.default_rng(0)
    features = random.normal(size=(3, 4, 6))
    boxes = np.array([[0, 0, 6, 4], [1.2, 0.7, 1.3, 3.9], [4.5, 2, 6, 2.25]])
    expected = np.zeros((3, 3))
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        points = [(np.arange(SAMPLES) + 0.5) / SAMPLES * (end - start) + start for start, end in ((y1, y2), (x1, x2))]
        for channel in range(3):
            expected[i, channel] = np.mean([bilinear(features[channel], y, x) for y in points[0] for x in points[1]])
    np.testing.assert_allclose(roi_align(features.astype("float32"), boxes), expected, atol=1e-5)


@pytest.mark.parametrize("box", [[0, 0, 1, 1], [2, 1, 3, 2]])
def test_one_cell_between_equal_neighbours_gives_that_value(box):
    assert roi_align(np.full((1, 2, 3), 7, "float32"), np.array([box]))[0, 0] == pytest.approx(7)


def test_a_linear_map_gives_the_boxes_centres():
    ramp = np.broadcast_to(np.arange(10, dtype="float32") + 0.5, (1, 10, 10))  # the value at x is x
    boxes = np.array([[1, 1, 3, 9], [2.5, 2, 7.5, 3]])
    np.testing.assert_allclose(roi_align(ramp, boxes)[:, 0], [2, 5], rtol=1e-6)
