"""The figures as files, and their labels."""

import pytest
from report_results import result

from inflate_shrink.report import figures
from inflate_shrink.report.collect import collect
from inflate_shrink.report.tables import benches

MODELS = (result("F", fragments=1, t2i=40.0), result("B", t2i=55.5), result("I-B-F", fragments=1, t2i=40.1))


@pytest.fixture
def drawn(runs, tmp_path, monkeypatch):
    """A function: results -> the figure's caption, directory and both axes."""
    kept = []
    legend = figures._legend
    monkeypatch.setattr(figures, "_legend", lambda figure, *rest: (kept.append(figure), legend(figure, *rest)))

    def draw(function, *results):
        groups = collect(runs(*results)).groups
        written = function(tmp_path, benches(groups)[0], groups)
        return (written, tmp_path, *kept[0].axes) if written else None

    return draw


@pytest.mark.slow
@pytest.mark.parametrize("function, name", [(figures.draw_figure_1, "figure1"), (figures.draw_figure_3, "figure3")])
def test_files_are_the_same_in_every_run(drawn, function, name):
    written, directory, *_ = drawn(function, *MODELS)
    assert (
        written.files
        == [f"{name}-coco.png", f"{name}-coco.svg"]
        == sorted(path.name for path in directory.glob("figure*"))
    )
    first = {file: (directory / file).read_bytes() for file in written.files}
    groups = collect(directory / "runs").groups
    function(directory, benches(groups)[0], groups)
    assert first == {file: (directory / file).read_bytes() for file in written.files}
    assert first[f"{name}-coco.png"].startswith(b"\x89PNG")
    svg = first[f"{name}-coco.svg"].decode()
    assert ">I-B-F</text>" in svg and ">published, MSCOCO1K</text>" in svg and "<dc:date>" not in svg


@pytest.mark.slow
@pytest.mark.parametrize("function", [figures.draw_figure_1, figures.draw_figure_3])
@pytest.mark.parametrize("data, shared", [("coco", True), ("demo", False), ("flickr30k", False)])
def test_one_y_axis_only_for_the_papers_images_and_protocol(drawn, function, data, shared):
    written, _, left, right = drawn(
        function, *(result(f, data=data, fragments=l, t2i=20.0) for f, l in (("F", 1), ("B", 32)))
    )
    assert left.get_shared_y_axes().joined(left, right) == shared
    assert (left.get_ylim() == right.get_ylim()) == shared
    assert left.get_xlim() == right.get_xlim() and left.get_xscale() == "log"
    assert left.get_title("left") == "published, MSCOCO1K" and data in right.get_title("left")
    assert f"Right: ours, {data}, split test" in written.caption
    for axes in (left, right):
        low, high = axes.get_ylim()
        assert all(low < y < high for line in axes.lines for y in line.get_ydata())


def test_estimates_are_called_so(drawn):
    assert "The costs of Unicoder-VL and 12-in-1 are estimates" in drawn(figures.draw_figure_1, *MODELS)[0].caption


def test_nothing_to_draw(drawn):
    assert drawn(figures.draw_figure_3, result("VSE++", fragments=1)) is None


@pytest.mark.parametrize(
    "values, expected",
    [
        ([1.0, 5.0, 9.0], [1.0, 5.0, 9.0]),
        ([4.0, 4.0], [3.5, 4.5]),
        ([4.0, 4.0, 5.0], [3.33, 4.33, 5.33]),  # the third is pushed, and its mean moves the others
        ([0.0, 0.0], [0.0, 1.0]),  # not below the lower end
        ([10.0, 10.0], [9.0, 10.0]),
    ],
)
def test_labels_are_moved_apart(values, expected):
    assert figures._apart(values, gap=1.0, low=0.0, high=10.0) == pytest.approx(expected, abs=0.01)
