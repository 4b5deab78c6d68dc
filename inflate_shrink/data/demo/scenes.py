"""Scenes: a few objects with uniformly sampled attributes, and the facts that hold between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .spec import DemoSpec

COLOURS = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "white", "black")
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "heart", "crescent")
SIZES = ("small", "large")
TEXTURES = ("plain", "striped", "dotted", "checked")
ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "centre", "right")

ATTRIBUTES = {"colour": COLOURS, "shape": SHAPES, "size": SIZES, "texture": TEXTURES, "row": ROWS, "column": COLUMNS}

# All lengths are fractions of the image side.
_RADII = {"small": (0.07, 0.095), "large": (0.135, 0.165)}
_JITTER = 0.09  # moves a centre inside its third of the image, so that places are never borderline
_MIN_DISTANCE = 0.8  # times the sum of the radii: objects may overlap a little
_CLEAR = 0.12  # offset from which one object is left of or above another
_CLOSE = 0.38  # distance up to which two objects are next to each other


@dataclass(frozen=True)
class Object:
    """One object; ``x``, ``y`` (of the centre) and ``radius`` are fractions of the image side."""

    colour: str
    shape: str
    size: str
    texture: str
    row: str
    column: str
    x: float
    y: float
    radius: float
    angle: float  # radians, a slight tilt


def sample_scene(rng: np.random.Generator, spec: DemoSpec) -> list[Object]:
    """Sample the objects of one scene, back to front; attributes are uniform and independent."""
    wanted = int(rng.integers(spec.min_objects, spec.max_objects + 1))
    objects: list[Object] = []
    attempts = 0
    while len(objects) < wanted:
        candidate = _sample_object(rng)
        if all(_distance(candidate, other) >= _MIN_DISTANCE * (candidate.radius + other.radius) for other in objects):
            objects.append(candidate)
        attempts += 1
        if attempts % 100 == 0:  # the large ones left no room: begin again
            objects = []
    return objects


def relations(subject: Object, other: Object) -> set[str]:
    """Return those of left, right, above, below, beside that hold: the subject is <relation> the other."""
    dx, dy = subject.x - other.x, subject.y - other.y
    found = set()
    if abs(dx) >= _CLEAR and abs(dx) >= abs(dy):
        found.add("left" if dx < 0 else "right")
    if abs(dy) >= _CLEAR and abs(dy) >= abs(dx):
        found.add("above" if dy < 0 else "below")
    if _distance(subject, other) <= _CLOSE:
        found.add("beside")
    return found


def _sample_object(rng: np.random.Generator) -> Object:
    chosen = {name: str(rng.choice(values)) for name, values in ATTRIBUTES.items()}
    jitter_x, jitter_y = rng.uniform(-_JITTER, _JITTER, 2)
    return Object(
        **chosen,
        x=(COLUMNS.index(chosen["column"]) + 0.5) / 3 + jitter_x,
        y=(ROWS.index(chosen["row"]) + 0.5) / 3 + jitter_y,
        radius=rng.uniform(*_RADII[chosen["size"]]),
        angle=rng.uniform(-0.2, 0.2),
    )


def _distance(a: Object, b: Object) -> float:
    return float(np.hypot(a.x - b.x, a.y - b.y))
