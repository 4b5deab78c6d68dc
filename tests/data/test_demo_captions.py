from dataclasses import replace

import numpy as np
import pytest

from inflate_shrink.data.demo.build import draw_scene
from inflate_shrink.data.demo.captions import MAX_WORDS, Caption, describe_scene, split_words
from inflate_shrink.data.demo.scenes import ATTRIBUTES, Object
from inflate_shrink.data.demo.spec import DemoSpec
from inflate_shrink.data.demo.words import ADJECTIVES_AND_NOUN, PLACE_WORDS, RELATION_WORDS, vocabulary
from inflate_shrink.errors import InputError

SPEC = DemoSpec(train=1, val=1, test=150)
RED_STAR = Object("red", "star", "small", "plain", "middle", "left", x=0.2, y=0.5, radius=0.08, angle=0)
BLUE_RING = replace(RED_STAR, colour="blue", shape="ring", column="right", x=0.8)


@pytest.fixture(scope="module")
def described():
    return [draw_scene("test", index, 0, SPEC)[:2] for index in range(SPEC.test)]


@pytest.mark.parametrize(
    "mentions, relation, expected",
    [
        ([{"shape": "star"}], None, True),
        ([{"shape": "star", "colour": "red", "column": "left"}], None, True),
        ([{"shape": "star", "colour": "blue"}], None, False),  # blue and star are there, but not together
        ([{"shape": "star"}, {"shape": "ring"}], "left", True),
        ([{"shape": "ring"}, {"shape": "star"}], "left", False),
        ([{"shape": "star"}, {"shape": "star"}], None, False),  # two stars need two objects
        ([{"size": "small"}, {"colour": "red"}], "right", True),  # the small one must be the ring
    ],
)
def test_holds(mentions, relation, expected):
    assert Caption("", tuple(mentions), relation).holds([RED_STAR, BLUE_RING]) is expected


def test_captions_are_true_of_their_scene(described):
    for scene, captions in described:
        assert len(captions) == 5
        assert all(caption.holds(scene) for caption in captions)


def test_captions_of_a_scene_say_different_things(described):
    for _, captions in described:
        assert len({str((caption.mentions, caption.relation)) for caption in captions}) == 5


def test_every_fact_is_in_the_words(described):
    for caption in (caption for _, captions in described for caption in captions):
        words = split_words(caption.text)
        for mention in caption.mentions:
            for name, lexicon in ADJECTIVES_AND_NOUN.items():
                assert name not in mention or set(lexicon[mention[name]]) & set(words)
            key = (mention.get("row"), mention.get("column"))
            assert key == (None, None) or any(wording in caption.text for wording in PLACE_WORDS[key])
        if caption.relation:
            assert any(wording in caption.text for wording in RELATION_WORDS[caption.relation])


def test_captions_fit_the_text_length_and_the_vocabulary(described):
    known = set(vocabulary())
    for caption in (caption for _, captions in described for caption in captions):
        words = split_words(caption.text)
        assert len(words) <= MAX_WORDS and set(words) <= known


def test_vocabulary():
    tokens = vocabulary()
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(tokens) == len(set(tokens))
    assert all(token.islower() or token in ",." for token in tokens[5:])


def test_every_value_has_a_word():
    for name, lexicon in ADJECTIVES_AND_NOUN.items():
        assert set(lexicon) == set(ATTRIBUTES[name])


@pytest.mark.slow
def test_most_captions_single_out_their_scene(described):
    """An oracle that knows every fact finds the scene: the upper bound of text-to-image R@1."""
    scenes = [scene for scene, _ in described]
    unique = [sum(caption.holds(scene) for scene in scenes) == 1 for _, captions in described for caption in captions]
    assert np.mean(unique) > 0.9


def test_scenes_share_single_objects(described):
    """Words alone do not single out a scene: most colour-shape pairs occur in several scenes."""
    scenes = [{(thing.colour, thing.shape) for thing in scene} for scene, _ in described]
    pairs = [pair for scene in scenes for pair in scene]
    assert np.mean([sum(pair in scene for scene in scenes) for pair in pairs]) > 5


def test_too_many_captions_asked_for():
    with pytest.raises(InputError, match="does not offer"):
        describe_scene([RED_STAR] * 4, np.random.default_rng(0), DemoSpec(mention_objects=(1.0,)))
