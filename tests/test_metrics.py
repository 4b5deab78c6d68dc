"""Recall at K against values counted by hand."""

import numpy as np
import pytest

from inflate_shrink import metrics
from inflate_shrink.errors import InputError
from inflate_shrink.metrics import (
    Direction,
    image_to_text_ranks,
    mean_recalls,
    protocol_folds,
    recalls,
    text_to_image_ranks,
)

CAPTION_IMAGE = np.array([0, 0, 1])
SCORES = np.array([[0.9, 0.1, 0.8], [0.2, 0.3, 0.7]])  # 2 images, 3 captions


def test_ranks_by_hand():
    # caption 0 finds image 0; caption 1 prefers image 1; caption 2 prefers image 0
    assert text_to_image_ranks(SCORES, CAPTION_IMAGE).tolist() == [0, 1, 1]
    # image 0: its best caption .9 beats .8; image 1: its .7 beats .3 and .2
    assert image_to_text_ranks(SCORES, CAPTION_IMAGE).tolist() == [0, 0]


def test_recalls_by_hand():
    result = recalls(SCORES, CAPTION_IMAGE)
    assert result.t2i == pytest.approx(Direction(100 / 3, 100, 100, 2))
    assert result.i2t == pytest.approx(Direction(100, 100, 100, 1))
    assert result.rsum == pytest.approx(100 / 3 + 500)


def test_ties_count_against_us():
    scores, caption_image = np.zeros((20, 40)), np.repeat(np.arange(20), 2)
    assert text_to_image_ranks(scores, caption_image).tolist() == [19] * 40
    assert image_to_text_ranks(scores, caption_image).tolist() == [38] * 20
    assert recalls(scores, caption_image).rsum == 0


@pytest.mark.parametrize("rows", [1, 2, 256])
def test_any_number_of_captions_in_any_order(monkeypatch, rows):
    monkeypatch.setattr(metrics, "ROWS", rows)
    caption_image = np.array([2, 0, 1, 0, 0])
    scores = np.random.RandomState(0).rand(3, 5)
    by_sorting = [list(np.argsort(-scores[:, c])).index(image) for c, image in enumerate(caption_image)]
    assert text_to_image_ranks(scores, caption_image).tolist() == by_sorting
    best = [min(list(np.argsort(-scores[i])).index(c) for c in np.flatnonzero(caption_image == i)) for i in range(3)]
    assert image_to_text_ranks(scores, caption_image).tolist() == best


def test_median_rank_is_that_of_the_field():
    # ranks 0 and 1 have the median .5; the field takes the floor and counts from 1
    scores = np.array([[9.0, 8.0], [5.0, 7.0]])
    assert text_to_image_ranks(scores, np.array([0, 1])).tolist() == [0, 1]
    assert recalls(scores, np.array([0, 1])).t2i.medr == 1


def test_protocols():
    assert protocol_folds("full", 7) == [slice(0, 7)]
    assert protocol_folds("first1k", 5000) == [slice(0, 1000)]
    assert protocol_folds("fold5", 5000) == [slice(s, s + 1000) for s in range(0, 5000, 1000)]
    for protocol, n in (("first1k", 999), ("fold5", 4999), ("fold5", 500), ("fold5", 0)):
        with pytest.raises(InputError, match=protocol):
            protocol_folds(protocol, n)


def test_mean_over_folds():
    one, two = (recalls(s, CAPTION_IMAGE) for s in (SCORES, -SCORES))
    assert mean_recalls([one, two]).t2i.r1 == pytest.approx((one.t2i.r1 + two.t2i.r1) / 2)
