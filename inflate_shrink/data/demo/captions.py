"""Captions of a scene from a grammar; each mentions a part of what is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from .scenes import ATTRIBUTES, Object, relations
from .spec import DemoSpec
from .words import ADJECTIVES_AND_NOUN, JOINTS, OPENINGS, PLACE_WORDS, RELATION_WORDS, VERBS

MAX_WORDS = 30  # together with [CLS] and [SEP] they fill the paper's 32 text positions


@dataclass(frozen=True)
class Caption:
    """A sentence and what it says.

    Each mention maps attribute names to values, the shape always among them; the first
    mentioned object is ``relation`` (left, above, ...) the second, unless it is None.
    """

    text: str
    mentions: tuple[dict[str, str], ...]
    relation: str | None

    def holds(self, scene: list[Object]) -> bool:
        """Return whether different objects of the scene fit all the mentions, in the stated relation."""
        return _can_cast(self, scene, ())


def describe_scene(scene: list[Object], rng: np.random.Generator, spec: DemoSpec) -> list[Caption]:
    """Write ``spec.captions`` captions that differ in what they mention, each of at most ``MAX_WORDS`` words.

    Raises InputError if the scene does not offer so many, which takes a very odd spec.
    """
    captions: list[Caption] = []
    for _ in range(100 * spec.captions):
        caption = _sample_caption(scene, rng, spec)
        known = any((caption.mentions, caption.relation) == (other.mentions, other.relation) for other in captions)
        if not known and len(split_words(caption.text)) <= MAX_WORDS:
            captions.append(caption)
        if len(captions) == spec.captions:
            return captions
    raise InputError(f"a demo scene does not offer {spec.captions} different captions; mention more or ask for fewer")


def split_words(text: str) -> list[str]:
    """Split a caption into words and punctuation marks, as a BERT tokenizer does."""
    return text.replace(",", " , ").replace(".", " . ").split()


def _can_cast(caption: Caption, scene: list[Object], cast: tuple[Object, ...]) -> bool:
    """Return whether the objects cast for the first mentions can be completed to a cast for all."""
    if len(cast) == len(caption.mentions):
        return caption.relation is None or caption.relation in relations(cast[0], cast[1])
    mention = caption.mentions[len(cast)]
    fitting = [thing for thing in scene if all(getattr(thing, name) == value for name, value in mention.items())]
    return any(_can_cast(caption, scene, (*cast, thing)) for thing in fitting if thing not in cast)


def _sample_caption(scene: list[Object], rng: np.random.Generator, spec: DemoSpec) -> Caption:
    count = 1 + rng.choice(len(spec.mention_objects), p=spec.mention_objects)
    things = [scene[i] for i in rng.permutation(len(scene))[:count]]
    mentions = [_sample_mention(thing, rng, spec, alone=count == 1) for thing in things]
    holding = sorted(relations(things[0], things[1])) if count > 1 else []
    relation = str(rng.choice(holding)) if holding else None
    if relation:  # their places too would be clumsy: "a star at the top above a ring at the bottom"
        mentions[:2] = [
            {name: mention[name] for name in mention if name not in ("row", "column")} for mention in mentions[:2]
        ]
    return Caption(_sentence(mentions, relation, rng), tuple(mentions), relation)


def _sample_mention(thing: Object, rng: np.random.Generator, spec: DemoSpec, alone: bool) -> dict[str, str]:
    chance = {
        "colour": spec.mention_colour,
        "shape": 1.0,
        "size": spec.mention_size,
        "texture": spec.mention_texture,
        "row": spec.mention_place,
        "column": spec.mention_place,
    }
    return {name: getattr(thing, name) for name in ATTRIBUTES if rng.random() < chance[name] or alone}


def _sentence(mentions: list[dict[str, str]], relation: str | None, rng: np.random.Generator) -> str:
    pairs = [(_noun_phrase(mention, rng), _place(mention, rng)) for mention in mentions]
    if relation:
        (subject, _), (other, _), *rest = pairs
        pairs = [(subject, f"{_pick(RELATION_WORDS[relation], rng)} {other}"), *rest]
    clauses = [_clause(phrase, where, rng, first=i == 0) for i, (phrase, where) in enumerate(pairs)]
    if len(clauses) == 1:
        return f"{clauses[0]}."
    return f"{', '.join(clauses[:-1])}{_pick(JOINTS, rng)}{clauses[-1]}."


def _clause(phrase: str, where: str, rng: np.random.Generator, first: bool) -> str:
    """Return a clause of one object and where it is: "there is X above Y", "X sits at the top", or just the two."""
    style = rng.random()
    if first and style < 0.35:
        return f"{_pick(OPENINGS, rng)} {phrase} {where}".strip()
    if where and style < 0.8:
        return f"{phrase} {_pick(VERBS, rng)} {where}"
    return f"{phrase} {where}".strip()


def _noun_phrase(mention: dict[str, str], rng: np.random.Generator) -> str:
    words = [_pick(lexicon[mention[name]], rng) for name, lexicon in ADJECTIVES_AND_NOUN.items() if name in mention]
    article = "an" if words[0][0] in "aeiou" else "a"
    return f"{article} {' '.join(words)}"


def _place(mention: dict, rng: np.random.Generator) -> str:
    key = (mention.get("row"), mention.get("column"))
    return "" if key == (None, None) else _pick(PLACE_WORDS[key], rng)


def _pick(wordings: tuple[str, ...], rng: np.random.Generator) -> str:
    return wordings[rng.integers(len(wordings))]
