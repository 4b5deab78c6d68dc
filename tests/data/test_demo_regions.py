import numpy as np
import pytest

from inflate_shrink.data.demo.regions import add_noise, describe_boxes, propose_boxes
from inflate_shrink.data.demo.render import render
from inflate_shrink.data.demo.scenes import ATTRIBUTES, sample_scene
from inflate_shrink.data.demo.spec import DemoSpec

SPEC = DemoSpec()


def sample(seed):
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng, SPEC)
    return scene, render(scene, rng, SPEC.image_side, SPEC.pixel_noise), propose_boxes(scene, rng, SPEC)


def test_boxes_lie_in_the_image():
    for seed in range(20):
        boxes = sample(seed)[2]
        assert boxes.shape == (100, 4) and boxes.dtype == np.float32
        assert boxes.min() >= 0 and boxes.max() <= SPEC.image_side
        assert (boxes[:, 2:] - boxes[:, :2] >= 3.9).all()


def test_every_object_has_several_boxes():
    scene, _, boxes = sample(0)
    middles = (boxes[:50, :2] + boxes[:50, 2:]) / 2
    for thing in scene:
        near = np.linalg.norm(middles - np.array([thing.x, thing.y]) * SPEC.image_side, axis=1) < 6
        assert near.sum() >= 4


def test_features():
    _, image, boxes = sample(1)
    features = describe_boxes(image, boxes)
    assert features.shape == (100, 112)
    assert np.isfinite(features).all() and features.min() >= 0 and features.max() < 20


def test_features_depend_on_pixels_in_the_box_alone():
    _, image, boxes = sample(2)
    box = np.array([[30, 30, 60, 60]], np.float32)
    other = image.copy()
    other[:20], other[70:] = 0, 255
    np.testing.assert_allclose(describe_boxes(image, box), describe_boxes(other, box), atol=1e-6)


def test_a_box_is_described_without_regard_to_the_others():
    _, image, boxes = sample(3)
    np.testing.assert_allclose(describe_boxes(image, boxes)[7:9], describe_boxes(image, boxes[7:9]), atol=1e-6)


def test_noise_adds_distractors_and_rectifies():
    noisy = add_noise(np.zeros((1000, 3)), np.random.default_rng(0), SPEC)
    assert noisy.shape == (1000, 3 + SPEC.distractors) and noisy.dtype == np.float32
    assert noisy.min() == 0
    assert noisy[:, :3].max() < 6 * SPEC.feature_noise


@pytest.mark.slow
def test_linear_probe_reads_the_attributes():
    """The features carry the facts: least squares on boxes around single objects, held-out scenes."""
    features, labels = [], []
    for seed in range(450):
        scene, image, boxes = sample(seed)
        features.append(describe_boxes(image, boxes[: len(scene)]))
        labels += [[values.index(getattr(thing, name)) for name, values in ATTRIBUTES.items()] for thing in scene]
    features, labels = np.concatenate(features), np.array(labels)
    inputs = np.c_[(features - features.mean(0)) / (features.std(0) + 1e-6), np.ones(len(features))]
    targets = np.concatenate([np.eye(len(values))[column] for column, values in zip(labels.T, ATTRIBUTES.values())], 1)
    train = len(inputs) * 4 // 5
    scores = inputs[train:] @ np.linalg.lstsq(inputs[:train], targets[:train], rcond=1e-6)[0]
    sizes = [len(values) for values in ATTRIBUTES.values()]
    for i, (name, part) in enumerate(zip(ATTRIBUTES, np.split(scores, np.cumsum(sizes)[:-1], axis=1))):
        accuracy = (part.argmax(1) == labels[train:, i]).mean()
        assert accuracy > 0.85, (name, accuracy)
