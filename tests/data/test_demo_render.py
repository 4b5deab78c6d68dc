import numpy as np
import pytest

from inflate_shrink.data.demo.render import PALETTE, render
from inflate_shrink.data.demo.scenes import COLOURS, SHAPES, TEXTURES, Object


def draw(*things, noise=0.0):
    return render(list(things), np.random.default_rng(0), 96, noise)


def thing(colour="red", shape="square", texture="plain", x=0.5, y=0.5, angle=0.0):
    return Object(colour, shape, "large", texture, "middle", "centre", x, y, radius=0.15, angle=angle)


@pytest.mark.parametrize("colour", COLOURS)
def test_colour_of_the_middle(colour):
    image = draw(thing(colour))
    assert image.shape == (96, 96, 3) and image.dtype == np.uint8
    assert tuple(image[48, 48]) == PALETTE[colour]


def test_later_objects_cover_earlier_ones():
    assert tuple(draw(thing("red"), thing("blue"))[48, 48]) == PALETTE["blue"]


def test_every_shape_covers_other_pixels():
    background = draw()
    masks = [(draw(thing(shape=shape)) != background).any(-1) for shape in SHAPES]
    for i, mask in enumerate(masks):
        assert 150 < mask.sum() < 900
        for other in masks[:i]:
            assert (mask != other).sum() > 50


def test_textures_differ_in_the_middle():
    patches = [draw(thing(texture=texture))[42:54, 42:54].astype(int) for texture in TEXTURES]
    spread = {texture: patch.std((0, 1)).max() for texture, patch in zip(TEXTURES, patches)}
    assert spread["plain"] == 0 and min(spread[name] for name in TEXTURES[1:]) > 20
    striped = patches[TEXTURES.index("striped")]
    assert (striped == striped[:, :1]).all()  # horizontal stripes


def test_background_tells_the_place():
    image = draw().astype(int)
    assert (np.diff(image[0, :, 0]) >= 0).all() and image[0, -1, 0] - image[0, 0, 0] > 90
    assert (np.diff(image[:, 0, 1]) >= 0).all() and image[-1, 0, 1] - image[0, 0, 1] > 90


def test_objects_at_the_border_are_cut():
    draw(thing(x=0.0, y=0.0), thing(x=1.0, y=1.0), thing(x=0.02, y=0.97, angle=0.2))
