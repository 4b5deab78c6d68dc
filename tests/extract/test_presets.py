"""Raw detector outputs to boxes, by hand."""

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.extract.presets import decode_boxes, decode_yolov8, decode_yolox


def test_yolox_offsets_and_log_sizes():
    raw = np.zeros((1, 16 + 4 + 1, 7), "float32")  # 32 x 32 pixels: 4 x 4, 2 x 2 and 1 x 1 cells
    raw[0, 6] = [0.5, 0.25, np.log(2), 0, 0.5, 0.2, 0.8]  # stride 8, row 1, column 2
    raw[0, 17] = [0, 1, 0, np.log(0.5), 1, 0.3, 0.1]  # stride 16, row 0, column 1
    boxes, scores = decode_yolox([raw], (32, 32))
    np.testing.assert_allclose(boxes[6], [20 - 8, 10 - 4, 20 + 8, 10 + 4], rtol=1e-6)
    np.testing.assert_allclose(boxes[17], [16 - 8, 16 - 4, 16 + 8, 16 + 4], rtol=1e-6)
    np.testing.assert_allclose(scores[[6, 17, 0]], [0.4, 0.3, 0], rtol=1e-6)


def test_yolox_of_an_oblong_input():
    raw = np.zeros((1, 8 + 2 + 0, 6), "float32")  # 16 high, 32 wide: 2 x 4, 1 x 2, none of stride 32
    boxes, _ = decode_yolox([raw], (16, 32))
    np.testing.assert_allclose(boxes[5], [8 - 4, 8 - 4, 8 + 4, 8 + 4])  # row 1, column 1


def test_yolov8_centres_and_sizes():
    raw = np.zeros((1, 6, 8), "float32")
    raw[0, :, 3] = [10, 20, 4, 8, 0.1, 0.7]
    boxes, scores = decode_yolov8([raw], (64, 64))
    np.testing.assert_allclose(boxes[3], [8, 16, 12, 24])
    assert scores[3] == pytest.approx(0.7)


def test_boxes_with_scores_wherever_they_are():
    boxes = np.arange(8, dtype="float32").reshape(2, 4)
    labels, scores = np.array([3, 4]), np.array([0.1, 0.2], "float32")
    found = decode_boxes([boxes, labels, scores], (64, 64))
    assert (found[0] == boxes).all() and (found[1] == scores).all()


def test_boxes_without_scores_are_best_first():
    boxes, scores = decode_boxes([np.zeros((1, 3, 4), "float32")], (64, 64))
    assert boxes.shape == (3, 4) and (np.diff(scores) < 0).all()


@pytest.mark.parametrize(
    "decode, output",
    [
        (decode_yolox, (1, 20, 85)),
        (decode_yolox, (1, 21, 5)),
        (decode_yolox, (21, 85)),
        (decode_yolov8, (1, 84, 5)),
        (decode_boxes, (3, 5)),
    ],
)
def test_another_networks_output(decode, output):
    with pytest.raises(InputError, match="expected"):
        decode([np.zeros(output, "float32")], (32, 32))
