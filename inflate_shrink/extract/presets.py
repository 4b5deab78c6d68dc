"""How pixels become a network's input, and how a detector's raw outputs become boxes, for common networks."""

from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np

from ..errors import InputError

YOLOX_STRIDES = (8, 16, 32)


class Pixels(NamedTuple):
    """(pixel - mean) / std of 0-255 values, in the order of ``channels``."""

    channels: str  # RGB or BGR
    mean: tuple
    std: tuple


class Detector(NamedTuple):
    """How a detector is fed, and its outputs decoded."""

    pixels: Pixels
    size: int  # side in pixels, where the network takes any
    decode: Callable  # outputs, (height, width) -> boxes (n, 4) in input pixels, scores (n,)


def decode_yolox(outputs: list[np.ndarray], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Decode YOLOX's raw (1, A, 5 + classes): centre offsets in cells and log sizes, strides 8, 16, 32."""
    raw = _single(outputs, "yolox")
    cells = []
    for stride in YOLOX_STRIDES:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, stride)], 1))
    grid = np.concatenate(cells)
    if len(grid) != len(raw) or raw.shape[1] < 6:
        raise InputError(
            f"yolox: expected an output (1, {len(grid)}, 5 + classes) for an input of {size}, found {outputs[0].shape}"
        )
    stride = grid[:, 2:]
    centre, extent = (raw[:, :2] + grid[:, :2]) * stride, np.exp(np.minimum(raw[:, 2:4], 20)) * stride
    return _corners(centre, extent), raw[:, 4] * raw[:, 5:].max(1)


def decode_yolov8(outputs: list[np.ndarray], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Decode YOLOv8's and later (1, 4 + classes, A): centres and sizes in input pixels."""
    raw = _single(outputs, "yolov8").T
    if raw.shape[1] < 5 or len(raw) < raw.shape[1]:
        raise InputError(f"yolov8: expected an output (1, 4 + classes, anchors), found {outputs[0].shape}")
    return _corners(raw[:, :2], raw[:, 2:4]), raw[:, 4:].max(1)


def decode_boxes(outputs: list[np.ndarray], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Take the boxes of any detector whose first output is (n, 4) x1, y1, x2, y2 in input pixels.

    Another output of n floating-point numbers holds their scores; without one, the boxes come best first.
    """
    if outputs[0].shape[-1:] != (4,):
        raise InputError(f"boxes: expected a first output (n, 4), found {outputs[0].shape}")
    boxes = outputs[0].reshape(-1, 4)
    scores = [output.reshape(-1) for output in outputs[1:] if output.size == len(boxes) and output.dtype.kind == "f"]
    return boxes, scores[0] if scores else np.arange(len(boxes), 0, -1, dtype=np.float32)


def _single(outputs: list[np.ndarray], preset: str) -> np.ndarray:
    if outputs[0].ndim != 3 or len(outputs[0]) != 1:
        raise InputError(
            f"{preset}: expected one output of three dimensions for one image, found {outputs[0].shape}; "
            "is this the right preset?"
        )
    return outputs[0][0]


def _corners(centre: np.ndarray, extent: np.ndarray) -> np.ndarray:
    return np.concatenate([centre - extent / 2, centre + extent / 2], 1)


_RAW_BGR = Pixels("BGR", (0, 0, 0), (1, 1, 1))
_UNIT_RGB = Pixels("RGB", (0, 0, 0), (255, 255, 255))
_IMAGENET = Pixels("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

BACKBONES = {
    "imagenet": _IMAGENET,  # torchvision, timm, PaddleClas: ResNet, MobileNet, ...
    "centred": Pixels("RGB", (128, 128, 128), (128, 128, 128)),  # (x - 128) / 128: TensorFlow's MobileNets
    "caffe": Pixels("BGR", (102.9801, 115.9465, 122.7717), (1, 1, 1)),  # Caffe's ResNet and bottom-up attention
    "unit": _UNIT_RGB,
}
DETECTORS = {
    "yolox": Detector(_RAW_BGR, 416, decode_yolox),
    "yolov8": Detector(_UNIT_RGB, 640, decode_yolov8),
    "boxes": Detector(_IMAGENET, 640, decode_boxes),
}
