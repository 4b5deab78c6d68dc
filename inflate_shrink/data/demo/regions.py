"""Boxes of a scene and features of each, computed from the pixels alone.

They stand in for a detector's output: many overlapping boxes an object, some around
pairs of neighbours, some anywhere, each with a non-negative feature vector.
"""

from __future__ import annotations

import numpy as np

from .scenes import Object
from .spec import DemoSpec

_CROP = 16  # a box is resampled to _CROP x _CROP pixels
_MARGIN = 3  # pixels of context around a box, whatever its size
_LAGS = ((0, 1), (1, 0), (0, 3), (3, 0), (3, 3), (3, -3), (0, 6), (6, 0), (1, 1))  # (dy, dx), periods of the textures


def propose_boxes(scene: list[Object], rng: np.random.Generator, spec: DemoSpec) -> np.ndarray:
    """Return (boxes, 4) float32 x1, y1, x2, y2 in pixels: half around objects, a fifth around pairs, others random."""
    centres = np.array([(thing.x, thing.y) for thing in scene])
    radii = np.array([thing.radius for thing in scene])
    tight = np.concatenate([centres - radii[:, None], centres + radii[:, None]], 1)  # (objects, 4)

    n_single, n_pair = spec.boxes // 2, spec.boxes // 5
    which = np.arange(n_single) % len(scene)
    single = tight[which] + rng.normal(0, 0.12, (n_single, 4)) * radii[which, None]

    distance = np.linalg.norm(centres[:, None] - centres, axis=-1)
    neighbours = np.argsort(distance, 1)[:, 1:3]  # the nearest two, after the object itself
    first, second = np.arange(n_pair) % len(scene), np.arange(n_pair) // len(scene) % 2
    one, other = tight[first], tight[neighbours[first, second]]
    pair = np.concatenate([np.minimum(one, other)[:, :2], np.maximum(one, other)[:, 2:]], 1)
    pair = pair + rng.normal(0, 0.02, pair.shape)

    n_random = spec.boxes - n_single - n_pair
    middle, half = rng.uniform(0.1, 0.9, (n_random, 2)), rng.uniform(0.06, 0.25, (n_random, 2))
    anywhere = np.concatenate([middle - half, middle + half], 1)
    return _inside(np.concatenate([single, pair, anywhere]) * spec.image_side, spec.image_side)


def describe_boxes(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the features of the boxes without noise.

    Args:
        image: (side, side, 3) uint8.
        boxes: (n, 4) pixels.

    Returns:
        (n, 112) float32, non-negative, of order 1: mean colours of 3 x 3 cells (27), a
        centre-weighted colour histogram (27), contrast with the border on 5 x 5 cells (25),
        gradient orientations of the quadrants (24), texture (9).
    """
    pixels = image.astype(np.float32) / 255
    crops = _crops(pixels, boxes)  # (n, _CROP, _CROP, 3)
    border = np.concatenate([crops[:, 0], crops[:, -1], crops[:, :, 0], crops[:, :, -1]], 1)
    difference = crops - np.median(border, 1)[:, None, None]
    contrast = np.sqrt(np.einsum("nyxc,nyxc->nyx", difference, difference))  # (n, _CROP, _CROP)
    groups = (
        4 * _cell_means(crops, 3),
        _colour_histogram(crops),
        4 * _cell_means(contrast[..., None], 5),
        _orientations(contrast),
        _texture(pixels, boxes),
    )
    return np.concatenate([group.reshape(len(boxes), -1) for group in groups], 1)


def add_noise(features: np.ndarray, rng: np.random.Generator, spec: DemoSpec) -> np.ndarray:
    """Append the distractor dimensions, add Gaussian noise and rectify: (n, D) -> (n, D + distractors)."""
    distractors = np.abs(rng.normal(0, 1, (len(features), spec.distractors)))
    noisy = np.concatenate([features, distractors], 1)
    noisy += rng.normal(0, spec.feature_noise, noisy.shape)
    return np.maximum(noisy, 0).astype(np.float32)


def _inside(boxes: np.ndarray, side: int) -> np.ndarray:
    """Clip boxes to the image and keep every one at least 4 pixels wide and high."""
    low = boxes[:, :2].clip(0, side - 4)
    return np.concatenate([low, np.maximum(boxes[:, 2:], low + 4).clip(None, side)], 1).astype(np.float32)


def _crops(pixels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Resample each box and its margin to a square by nearest neighbour."""
    side = len(pixels)
    steps = (np.arange(_CROP) + 0.5) / _CROP
    low, high = boxes[:, :2] - _MARGIN, boxes[:, 2:] + _MARGIN
    at = (low[..., None] + (high - low)[..., None] * steps).astype(int).clip(0, side - 1)  # (n, 2, _CROP)
    return pixels[at[:, 1, :, None], at[:, 0, None, :]]


def _cell_means(crops: np.ndarray, cells: int) -> np.ndarray:
    """Average (n, S, S, C) crops over a grid whose cells may differ by a pixel; return (n, cells, cells, C)."""
    edges = np.linspace(0, crops.shape[1], cells + 1).round().astype(int)
    sums = np.add.reduceat(np.add.reduceat(crops, edges[:-1], axis=1), edges[:-1], axis=2)
    size = np.diff(edges)
    return sums / (size[:, None] * size)[..., None]


def _colour_histogram(crops: np.ndarray) -> np.ndarray:
    """Return (n, 27) shares of 3 x 3 x 3 colours around the centre, square-rooted so that small shares count."""
    red, green, blue = np.moveaxis((crops * 2.999).astype(int), -1, 0)
    offset = np.linspace(-1, 1, crops.shape[1]) ** 2
    weights = np.exp(-2 * (offset[:, None] + offset))
    return 3 * np.sqrt(_histograms(9 * red + 3 * green + blue, weights / weights.sum(), 27))


def _orientations(contrast: np.ndarray) -> np.ndarray:
    """Return (n, 24) shares of 6 edge orientations in each quadrant, weighted by gradient."""
    dy, dx = np.gradient(contrast, axis=(1, 2))
    orientation = (np.arctan2(dy, dx) % np.pi * (6 / np.pi)).astype(int) % 6
    half = np.arange(_CROP) // (_CROP // 2)
    quadrant = 2 * half[:, None] + half
    strength = _histograms(6 * quadrant + orientation, np.hypot(dx, dy), 24).reshape(-1, 4, 6)
    return 6 * strength / (strength.sum(-1, keepdims=True) + 5)


def _histograms(bins: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """Sum the weights of the pixels of each bin: (n, S, S) bins to (n, size), one histogram a crop."""
    n = len(bins)
    flat = bins + size * np.arange(n)[:, None, None]
    return np.bincount(flat.ravel(), np.broadcast_to(weights, bins.shape).ravel(), size * n).reshape(n, size)


def _texture(pixels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return (n, 9) mean differences of the image with itself shifted, over the middle of each box."""
    grey = pixels.mean(-1)
    maps = np.stack([abs(grey - np.roll(grey, lag, (0, 1))) for lag in _LAGS], -1)
    sums = np.zeros((len(grey) + 1, len(grey) + 1, len(_LAGS)))
    sums[1:, 1:] = maps.cumsum(0, dtype=np.float64).cumsum(1)
    shrink = 0.2 * (boxes[:, 2:] - boxes[:, :2])
    x1, y1 = (boxes[:, :2] + shrink).astype(int).T
    x2, y2 = np.ceil(boxes[:, 2:] - shrink).astype(int).T
    area = ((x2 - x1) * (y2 - y1))[:, None]
    return 10 * ((sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]) / area).astype(np.float32)
