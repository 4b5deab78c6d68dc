"""Curves of several trainings."""

import pytest

from inflate_shrink.commands.report import main
from inflate_shrink.engine.scalars import Scalars
from inflate_shrink.errors import InputError
from inflate_shrink.report.curves import draw_curves


@pytest.fixture
def trainings(tmp_path):
    """Two runs, the second without a validation."""
    places = tmp_path / "$one$", tmp_path / "two"
    for place, losses in zip(places, ((5.0, 3.0), (4.0, 2.0, 1.0))):
        place.mkdir()
        for number, loss in enumerate(losses):
            Scalars(place).write(10 * number, 1, loss=loss, lr=0.1)
    Scalars(places[0]).write(10, 1, rsum=250.0, t2i_r1=30.0, t2i_medr=2.0)
    return places


def test_a_panel_a_number_and_a_line_a_run(trainings, tmp_path):
    figure = draw_curves(trainings, tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").read_text().startswith("<?xml")
    panels = {axes.get_title(loc="left"): [line.get_xydata().tolist() for line in axes.lines] for axes in figure.axes}
    assert list(panels) == ["loss", "rsum, validation", "t2i R@1, validation", "learning rate"]
    assert panels["loss"] == [[[0, 5], [10, 3]], [[0, 4], [10, 2], [20, 1]]]
    assert panels["rsum, validation"] == [[[10, 250]], []]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        str(trainings[0]).replace("$", r"\$"),
        str(trainings[1]),
    ]


def test_the_command(trainings, tmp_path, capsys):
    main(["curves", *map(str, trainings), "--out", str(tmp_path / "curves.png")])
    assert capsys.readouterr().out == f"{tmp_path}/curves.png: 2 runs\n"
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match="--out curves.jpg: expected a name that ends in .png or .svg"):
        main(["curves", str(trainings[0]), "--out", "curves.jpg"])
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "scalars.jsonl").touch()
    with pytest.raises(InputError, match="new/scalars.jsonl: no update is logged yet"):
        main(["curves", str(tmp_path / "new"), "--out", str(tmp_path / "none.png")])
    assert not (tmp_path / "none.png").exists()
