"""Draw a scene as a small RGB image."""

from __future__ import annotations

import numpy as np

from .scenes import Object

PALETTE = {
    "red": (215, 35, 40),
    "orange": (245, 140, 25),
    "yellow": (245, 225, 50),
    "green": (40, 160, 55),
    "turquoise": (60, 215, 205),
    "blue": (45, 75, 220),
    "purple": (140, 50, 180),
    "pink": (250, 150, 200),
    "white": (245, 245, 245),
    "black": (25, 25, 25),
}
_PERIOD = 6  # pixels of a texture, the same for every size of object
_SUPERSAMPLING = 2


def render(scene: list[Object], rng: np.random.Generator, side: int, noise: float) -> np.ndarray:
    """Draw the objects in order, later ones over earlier ones.

    Args:
        scene: the objects.
        rng: source of the lighting and the pixel noise.
        side: width and height in pixels.
        noise: standard deviation of the pixel noise, of 255.

    Returns:
        (side, side, 3) uint8 RGB.
    """
    image = _background(side) + rng.uniform(-8, 8, 3)
    for thing in scene:
        _draw(image, thing, side)
    image += rng.normal(0, noise, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def _background(side: int) -> np.ndarray:
    """Return a dull gradient, redder to the right and greener downwards, so that a patch tells its place."""
    ramp = np.linspace(60, 160, side)
    image = np.empty((side, side, 3))
    image[..., 0], image[..., 1], image[..., 2] = ramp, ramp[:, None], 110
    return image


def _draw(image: np.ndarray, thing: Object, side: int) -> None:
    """Blend one object into ``image`` with its coverage of each pixel."""
    reach = int(np.ceil(1.1 * thing.radius * side)) + 1
    left, top = int(thing.x * side) - reach, int(thing.y * side) - reach
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + 2 * reach + 1, side), min(top + 2 * reach + 1, side)
    x = (np.arange(x0 * _SUPERSAMPLING, x1 * _SUPERSAMPLING) + 0.5) / _SUPERSAMPLING
    y = (np.arange(y0 * _SUPERSAMPLING, y1 * _SUPERSAMPLING) + 0.5) / _SUPERSAMPLING
    u = (x - thing.x * side) / (thing.radius * side)
    v = (y[:, None] - thing.y * side) / (thing.radius * side)
    cos, sin = np.cos(thing.angle), np.sin(thing.angle)
    inside = _INSIDE[thing.shape](cos * u + sin * v, cos * v - sin * u)
    height, width = y1 - y0, x1 - x0
    coverage = inside.reshape(height, _SUPERSAMPLING, width, _SUPERSAMPLING).mean((1, 3))[..., None]
    second = _texture(thing.texture, np.arange(x0, x1), np.arange(y0, y1)[:, None])[..., None]
    colour = np.array(PALETTE[thing.colour], float)
    paint = np.where(second, _shade(colour), colour)
    patch = image[y0:y1, x0:x1]
    patch += coverage * (paint - patch)


def _shade(colour: np.ndarray) -> np.ndarray:
    """Return the second colour of a texture: darker, or lighter where the colour is already dark."""
    return colour * 0.5 if colour.max() > 100 else colour + 90


def _texture(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return True where the second colour of a texture goes."""
    half = _PERIOD // 2
    if name == "striped":
        return np.broadcast_to(y // half % 2 == 1, np.broadcast(x, y).shape)
    if name == "checked":
        return (x // half + y // half) % 2 == 1
    if name == "dotted":
        return (x % _PERIOD < 2) & (y % _PERIOD < 2)
    return np.zeros(np.broadcast(x, y).shape, bool)


def _triangle(u, v):
    return (v < 0.75) & (v > 1.75 * abs(u) - 1)


def _star(u, v):
    angle, radius = np.arctan2(u, -v), np.hypot(u, v)
    wedge = abs((angle + np.pi / 5) % (2 * np.pi / 5) - np.pi / 5)  # 0 at a point, pi/5 in a notch
    return radius < 0.45 / (np.cos(wedge - np.pi / 5) ** 0.5 * (1 - 0.55 * (1 - wedge / (np.pi / 5))))


def _heart(u, v):
    s, t = 1.15 * u, 0.15 - 1.15 * v
    return (s * s + t * t - 0.6) ** 3 < 1.6 * s * s * t**3


# Each takes coordinates in units of the object's radius, v downwards.
_INSIDE = {
    "circle": lambda u, v: np.hypot(u, v) < 0.92,
    "square": lambda u, v: np.maximum(abs(u), abs(v)) < 0.8,
    "triangle": _triangle,
    "star": _star,
    "cross": lambda u, v: (np.minimum(abs(u), abs(v)) < 0.3) & (np.maximum(abs(u), abs(v)) < 0.95),
    "ring": lambda u, v: abs(np.hypot(u, v) - 0.72) < 0.24,
    "heart": _heart,
    "crescent": lambda u, v: (np.hypot(u, v) < 0.95) & (np.hypot(u - 0.45, v) > 0.72),
}
