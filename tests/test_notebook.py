"""The notebook runs from its first cell to its last, and is kept without output."""

import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
FEW = "SCENES = 24, 8, 8\n"


def cells(path, kind):
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_kept_without_output(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    ids = [cell["id"] for cell in notebook["cells"]]
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5) and len(set(ids)) == len(ids) > 5
    assert all((cell["outputs"], cell["execution_count"]) == ([], None) for cell in cells(path, "code"))


@pytest.mark.slow
def test_the_demo_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where it makes its folder
    matplotlib.use("Agg")
    names = {"__name__": "notebook"}
    (path,) = NOTEBOOKS
    (parameters,) = [cell for cell in cells(path, "code") if "parameters" in cell["metadata"].get("tags", [])]
    assert parameters["source"][0].startswith("SCENES = ")
    for cell in cells(path, "code"):
        source = FEW if cell == parameters else "".join(cell["source"])
        exec(compile(source, f"{path.name}:{cell['id']}", "exec"), names)
    matplotlib.pyplot.close("all")
    printed = capsys.readouterr().out
    assert "data/demo: 40 scenes" in printed and printed.count("protocol full: 8 images, 40 captions") >= 4
    assert [hit.rank for hit in names["hits"]] == [1, 2, 3, 4, 5]
    assert names["scores"].shape == [8, 5] and np.isfinite(names["scores"].numpy()).all()
    assert [path.name for path in tmp_path.iterdir()] == [Path.cwd().name]
