"""Which records mean the same extractor."""

import pytest

from inflate_shrink.data.extractors import same_extractor

GRID = "cells of backbone resnet50.onnx sha256:0123456789abcdef (imagenet, shorter side 320)"
BOXES = (
    "100 boxes of yolox s.onnx sha256:aaaaaaaaaaaaaaaa (yolox), "
    "RoIAlign on backbone resnet50.onnx sha256:0123456789abcdef (imagenet, shorter side 320)"
)


@pytest.mark.parametrize(
    "one, other",
    [
        (GRID, GRID),
        (GRID, GRID.replace("resnet50.onnx", "my copy of a backbone.pdmodel")),
        (BOXES, BOXES.replace("yolox s.onnx", "detector.onnx").replace("resnet50", "r50")),
        ("bottom-up attention", "Bottom-up  attention "),
        (GRID, ""),
        ("", ""),
    ],
)
def test_the_same(one, other):
    assert same_extractor(one, other) and same_extractor(other, one)


@pytest.mark.parametrize(
    "other",
    [
        BOXES,
        GRID.replace("0123", "3210"),
        GRID.replace("imagenet", "centred"),
        GRID.replace("320", "224"),
        "bottom-up attention",
    ],
)
def test_another(other):
    assert not same_extractor(GRID, other) and not same_extractor(other, GRID)


def test_another_detector():
    assert not same_extractor(BOXES, BOXES.replace("aaaa", "bbbb")) and not same_extractor(
        BOXES, BOXES.replace("100 boxes", "50 boxes")
    )
