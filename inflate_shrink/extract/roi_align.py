"""RoIAlign (He et al. 2017, Mask R-CNN) to one vector a box."""

from __future__ import annotations

import numpy as np

SAMPLES = 8  # points a side in each box


def roi_align(feature_map: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Mean of bilinear samples of the feature map on a regular grid of points in each box.

    Args:
        feature_map: (C, H, W) float32; cell (i, j) covers [j, j+1] x [i, i+1].
        boxes: (n, 4) x1, y1, x2, y2 in cells.

    Returns:
        (n, C) float32.
    """
    _, height, width = feature_map.shape
    # the grid of points is a product, and so are the bilinear weights: one row and one column factor a box
    rows, columns = _weights(boxes[:, 1], boxes[:, 3], height), _weights(boxes[:, 0], boxes[:, 2], width)
    weights = (rows[:, :, None] * columns[:, None, :]).reshape(len(boxes), -1)
    return weights @ feature_map.reshape(len(feature_map), -1).T


def _weights(start: np.ndarray, end: np.ndarray, cells: int) -> np.ndarray:
    """Return the (n, cells) mean linear-interpolation weight of each cell over the points between start and end."""
    inside = (np.arange(SAMPLES) + 0.5) / SAMPLES
    points = start[:, None] + (end - start)[:, None] * inside - 0.5  # cell centres lie at whole numbers now
    points = np.clip(points, 0, cells - 1)
    return np.maximum(0, 1 - np.abs(points[:, :, None] - np.arange(cells))).mean(1).astype(np.float32)
