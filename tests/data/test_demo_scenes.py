from dataclasses import replace

import numpy as np
import pytest

from inflate_shrink.data.demo.scenes import ATTRIBUTES, COLUMNS, ROWS, Object, relations, sample_scene
from inflate_shrink.data.demo.spec import DemoSpec
from inflate_shrink.errors import InputError

STAR = Object("red", "star", "small", "plain", "middle", "centre", x=0.5, y=0.5, radius=0.08, angle=0)


def scenes(n, spec=DemoSpec()):
    return [sample_scene(np.random.default_rng(i), spec) for i in range(n)]


@pytest.mark.parametrize(
    "x, y, expected",
    [
        (0.3, 0.5, {"left", "beside"}),
        (0.9, 0.6, {"right"}),
        (0.5, 0.1, {"above"}),
        (0.5, 0.7, {"below", "beside"}),
        (0.7, 0.7, {"right", "below", "beside"}),
        (0.45, 0.45, {"beside"}),
    ],
)
def test_relations(x, y, expected):
    assert relations(replace(STAR, x=x, y=y), STAR) == expected


def test_same_seed_same_scene():
    assert sample_scene(np.random.default_rng(3), DemoSpec()) == sample_scene(np.random.default_rng(3), DemoSpec())


def test_numbers_of_objects():
    assert {len(scene) for scene in scenes(60)} == {3, 4, 5}


def test_even_the_fullest_scene_is_found():
    assert all(len(scene) == 9 for scene in scenes(5, DemoSpec(min_objects=9, max_objects=9)))


def test_attributes_are_about_uniform():
    objects = [thing for scene in scenes(400) for thing in scene]
    for name, values in ATTRIBUTES.items():
        shares = np.array([sum(getattr(thing, name) == value for thing in objects) for value in values]) / len(objects)
        assert shares.min() > 0.7 / len(values), name


def test_place_words_are_true():
    for thing in (thing for scene in scenes(50) for thing in scene):
        assert COLUMNS[int(3 * thing.x)] == thing.column and ROWS[int(3 * thing.y)] == thing.row


@pytest.mark.parametrize(
    "options",
    [dict(train=-1), dict(train=0, val=0, test=0), dict(min_objects=2), dict(min_objects=8), dict(max_objects=10)],
)
def test_impossible_spec(options):
    with pytest.raises(InputError, match="expected"):
        DemoSpec(**options)
