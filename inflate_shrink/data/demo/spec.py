"""The knobs of the demo data set."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InputError


@dataclass(frozen=True)
class DemoSpec:
    """Size and difficulty. More objects, fewer mentions and more noise make retrieval harder.

    Raises InputError for a combination from which no data set can be made.
    """

    train: int = 3000  # scenes of each split
    val: int = 500
    test: int = 500
    image_side: int = 96  # pixels
    min_objects: int = 3
    max_objects: int = 5
    boxes: int = 100  # regions of an image before clustering
    captions: int = 5  # captions of a scene
    mention_objects: tuple[float, ...] = (0.05, 0.4, 0.55)  # P(1, 2, 3 objects in a caption)
    mention_colour: float = 0.9  # P(attribute is said) for an object among several; a lone object gets all
    mention_size: float = 0.5
    mention_texture: float = 0.5
    mention_place: float = 0.5
    pixel_noise: float = 4.0  # standard deviation, of 255
    feature_noise: float = 0.3  # standard deviation, in units where a feature's own is about 1
    distractors: int = 16  # feature dimensions that say nothing about the image

    def __post_init__(self):
        scenes = (self.train, self.val, self.test)
        if min(scenes) < 0 or sum(scenes) == 0:
            raise InputError(f"expected at least one demo scene and no negative number of them, found {scenes}")
        if not len(self.mention_objects) <= self.min_objects <= self.max_objects <= 9:
            raise InputError(
                "expected as many objects in a demo scene as a caption can mention, and at most 9: found min_objects"
                f" {self.min_objects}, max_objects {self.max_objects}, {len(self.mention_objects)} in a caption"
            )
