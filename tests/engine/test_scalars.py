"""Numbers of a run by its updates."""

import json
import sys

import pytest

from inflate_shrink.engine.scalars import Scalars, read_scalars
from inflate_shrink.errors import InputError


def lines(run):
    return [{key: value for key, value in line.items() if key != "time"} for line in read_scalars(run)]


def test_lines_of_updates_that_are_made_again_go(tmp_path):
    first = Scalars(tmp_path)
    first.start(0)
    first.write(2, 1, loss=5.0, gradient_norm=None, loss_scale=float("inf"))
    first.write(4, 1, loss=4.0)
    first.write(4, 1, rsum=100.0)
    first.write(6, 2, loss=3.0)
    with open(tmp_path / "scalars.jsonl", "a") as file:
        file.write('{"step": 8, "lo')  # killed here
    assert len(read_scalars(tmp_path)) == 4
    second = Scalars(tmp_path)
    second.start(4)
    second.write(6, 2, loss=3.5)
    kept = [{"step": 2, "epoch": 1, "loss": 5.0}, {"step": 4, "epoch": 1, "loss": 4.0}]
    kept += [{"step": 4, "epoch": 1, "rsum": 100.0}]
    assert lines(tmp_path) == [*kept, {"step": 6, "epoch": 2, "loss": 3.5}]
    Scalars(tmp_path).start(0)
    assert lines(tmp_path) == []


@pytest.mark.parametrize("damage", ["{", "[1]", '{"step": 1.5, "epoch": 1, "time": 1}', '{"step": 1, "epoch": 1}'])
def test_damaged_lines(tmp_path, damage):
    Scalars(tmp_path).write(1, 1, loss=2.0)
    path = tmp_path / "scalars.jsonl"
    with open(path, "a") as file:
        file.write(damage + "\n")
    with pytest.raises(InputError, match=f"^{path}, line 2: expected a JSON mapping of numbers"):
        read_scalars(tmp_path)
    Scalars(tmp_path).start(1)  # a run goes on without it
    assert lines(tmp_path) == [{"step": 1, "epoch": 1, "loss": 2.0}]
    with pytest.raises(InputError, match=f"^{tmp_path}/none/scalars.jsonl: No such file"):
        read_scalars(tmp_path / "none")


def test_visualdl_has_the_same_numbers_once(tmp_path):
    LogReader = pytest.importorskip("visualdl").LogReader
    for done, updates in ((0, (2, 4, 6)), (4, (6,))):
        scalars = Scalars(tmp_path, visualdl=True)
        scalars.start(done)
        for update in updates:
            scalars.write(update, 1, loss=update / 2, skipped=0)
        scalars.close()
    reader = LogReader(file_path=str(next((tmp_path / "visualdl").iterdir())))
    found = [(record.id, record.value) for record in reader.get_data("scalar", "loss")]
    assert found == [(2, 1.0), (4, 2.0), (6, 3.0)] == [(line["step"], line["loss"]) for line in lines(tmp_path)]
    walltime = [record.timestamp for record in reader.get_data("scalar", "loss")]
    assert walltime == [round(1000 * line["time"]) for line in read_scalars(tmp_path)]


def test_without_visualdl(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "visualdl", None)
    with pytest.raises(InputError, match="^run.visualdl: VisualDL is not installed; pip install visualdl, or leave"):
        Scalars(tmp_path, visualdl=True)
    Scalars(tmp_path).write(1, 1, loss=2.0)
    assert json.loads((tmp_path / "scalars.jsonl").read_text())["loss"] == 2.0


def test_files_that_cannot_be_written(tmp_path):
    (tmp_path / "scalars.jsonl").mkdir()
    for call in (lambda: Scalars(tmp_path).start(0), lambda: Scalars(tmp_path).write(1, 1, loss=2.0)):
        with pytest.raises(
            InputError, match=f"^{tmp_path}/scalars.jsonl: cannot be written: Is a directory; make room"
        ):
            call()
