"""What the PNGs show."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from inflate_shrink.errors import InputError
from inflate_shrink.visualize.attention import Attention
from inflate_shrink.visualize.attention_figure import chosen, draw_attention
from inflate_shrink.visualize.choices import Choice, Match
from inflate_shrink.visualize.labels import is_quiet
from inflate_shrink.visualize.match_figure import UNSEEN, draw_match, region_colours
from inflate_shrink.visualize.palette import colours
from inflate_shrink.visualize.photo import Scene

EVEN, SHARP = np.full((3, 3), 1 / 3), np.eye(3)[[1, 2, 0]]
ATTENTION = Attention(["[CLS]", "$x", "code 1"], np.array([[EVEN, SHARP], [SHARP, EVEN]], "float32"))
MATCH = Match(
    [
        Choice("[CLS]", "code 1", 0.9, None),
        Choice("ball", "region 2", 0.5, 1),
        Choice("$x$", "region 2", 0.25, 1),
        Choice("box", "region 1", -0.1, 0),
    ],
    [Choice("code 1", "region 3", 0.7, 2), Choice("code 2", "region 1", 0.6, 0)],
    1.0,
    3.85,
)
SCENE = Scene(
    None,
    100,
    50,
    np.array([[60, 10, 90, 40], [10, 10, 50, 40], [0, 0, 5, 5]], "float32"),
    "(the data set holds no photos)",
)
FIRST, SECOND = colours(2)


def test_chosen():
    assert chosen(None, 3, "--heads") == [0, 1, 2] and chosen([3, 1], 3, "--heads") == [2, 0]
    for wrong in (0, 4):
        with pytest.raises(InputError, match=f"--heads must be from 1 to 3, the model's, found {wrong}"):
            chosen([1, wrong], 3, "--heads")


def test_attention(figures, tmp_path):
    draw_attention(ATTENTION, "I: a $x", [0, 1], [0, 1], tmp_path / "a.png")
    figure = figures[0]
    maps = [axes for axes in figure.axes if axes.images]
    np.testing.assert_array_equal([axes.images[0].get_array() for axes in maps], ATTENTION.weights.reshape(4, 3, 3))
    written = [
        [[label.get_text() for label in axis.get_ticklabels() if label.get_text()] for axis in (axes.xaxis, axes.yaxis)]
        for axes in maps
    ]
    # At the rims.
    assert written == [
        [[], ATTENTION.labels],
        [[], []],
        [ATTENTION.labels, ATTENTION.labels],
        [ATTENTION.labels, []],
    ]
    panels = [axes for axes in figure.axes if axes.collections and axes.get_title().startswith("layer")]
    lines = [axes.collections[0] for axes in panels]
    assert len(lines) == 2
    for layer, colour in zip(lines, (SECOND, FIRST)):  # that of the sharp head; an even share is no line
        assert [to_hex(rgb) for rgb in layer.get_colors()] == [colour] * 3 and layer.get_colors()[:, 3].tolist() == [
            1,
            1,
            1,
        ]
        assert sorted(segment[:, 1].tolist() for segment in layer.get_segments()) == [[0, 1], [1, 2], [2, 0]]
    borders = [sorted((*line.get_xdata(), *line.get_ydata()) for line in axes.lines) for axes in maps + panels]
    # Before the first code.
    assert borders == [[(0, 1, 1.5, 1.5), (1.5, 1.5, 0, 1)]] * 4 + [[(-0.35, 1.35, 1.5, 1.5)]] * 2


@pytest.mark.slow
@pytest.mark.parametrize("layers, heads", [(3, 1), (1, 3), (3, 2), (3, 12)])
def test_an_attention_picture_is_landscape(figures, tmp_path, layers, heads):
    labels = [f"word {number}" for number in range(9)] + [f"code {number}" for number in range(1, 33)]
    draw_attention(
        Attention(labels, np.full((layers, heads, 41, 41), 1 / 41)),
        "I",
        [*range(layers)],
        [*range(heads)],
        tmp_path / "a.png",
    )
    width, height = figures[0].get_size_inches()
    assert width > 1.2 * height
    written = {text.get_text() for text in figures[0].texts} | {axes.get_title() for axes in figures[0].axes}
    assert {f"layer {number + 1}" for number in range(layers)} | {
        f"head {number + 1}" for number in range(heads)
    } <= written


def test_chosen_layers_and_heads(figures, tmp_path):
    draw_attention(ATTENTION, "I", [1], [0], tmp_path / "a.png")
    maps = [axes.images[0].get_array() for axes in figures[0].axes if axes.images]
    np.testing.assert_array_equal(maps, [SHARP])
    titles = [axes.get_title() for axes in figures[0].axes]
    assert "head 1" in titles and "layer 2, head 1" in titles


def test_match(figures, tmp_path):
    assert region_colours(MATCH) == {1: FIRST, 0: SECOND}
    draw_match(MATCH, SCENE, "B: ball $x$ box", tmp_path / "m.png")
    figure = figures[0]
    photo = figure.axes[0]
    boxes = {to_hex(patch.get_edgecolor()): patch.get_bbox().extents.tolist() for patch in photo.patches}
    assert boxes == {"#ffffff": [60, 10, 90, 40], FIRST: [10, 10, 50, 40], SECOND: [60, 10, 90, 40]}
    assert [text.get_text() for text in photo.texts] == ["ball $x$", "box"]
    assert (photo.get_xlim(), photo.get_ylim()) == ((0, 100), (50, 0))
    texts = {text.get_text(): text.get_color() for text in figure.texts}
    assert (
        texts["ball"] == texts["$x$"] == FIRST
        and texts["box"] == texts["code 2"] == SECOND
        and texts["[CLS]"] == texts["region 3"] == UNSEEN
    )
    assert {"0.90", "0.50", "0.25", "-0.10", "0.70", "0.60"} < texts.keys()
    assert "B: ball $x$ box (the data set holds no photos)" in texts and MATCH.describe() in texts


def test_labels_do_not_hide_each_other(figures, tmp_path):
    boxes = np.array([[10, 10, 60, 40], [12, 10, 62, 42], [10, 12, 64, 40], [0, 0, 100, 50]], "float32")
    words = [Choice(f"some word {number}", f"region {number + 1}", 0.5, number) for number in range(4)]
    quiet = [Choice(word, "region 4", 0.5, 3) for word in ("a", "[CLS]", ".")]
    draw_match(Match(words[:3] + quiet, [], 0.0, 1.0), SCENE._replace(boxes=boxes), "B", tmp_path / "m.png")
    photo = figures[0].axes[0]
    extents = [text.get_window_extent() for text in photo.texts]
    assert len(extents) == 3 and not any(one.overlaps(other) for i, one in enumerate(extents) for other in extents[:i])
    assert all(photo.get_window_extent().contains(*corner) for extent in extents for corner in extent.corners())
    texts = {text.get_text(): (text.get_color(), text.get_weight()) for text in figures[0].texts}
    assert [texts[word] for word in ("some word 0", "a", "[CLS]", ".")] == [(FIRST, "bold")] + 3 * [(UNSEEN, "normal")]


def test_quiet_words():
    assert [label for label in ("a", "[SEP]", ",", "ball", "##s", "字", "3", "code 1", "there") if is_quiet(label)] == [
        "a",
        "[SEP]",
        ",",
        "there",
    ]


def test_the_photo_fills_the_size_of_the_image(figures, tmp_path):
    draw_match(MATCH, SCENE._replace(photo=Image.new("RGB", (10, 5))), "B", tmp_path / "m.png")
    assert figures[0].axes[0].images[0].get_extent() == [0, 100, 50, 0]


def test_png(tmp_path, recwarn):
    for name, title in (("a.png", "a $\\bad$ 字"), ("b.png", "word " * 200)):
        draw_attention(ATTENTION, title, [0, 1], [0, 1], tmp_path / name)
        image = Image.open(tmp_path / name)
        assert image.format == "PNG" and len(image.convert("RGB").getcolors(1 << 20)) > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"] and not recwarn.list
