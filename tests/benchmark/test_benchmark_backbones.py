"""Backbones beside each other: which photos are described in which way, and photos per second of it."""

import json
from types import SimpleNamespace

import pytest
from PIL import Image

from benchmark import backbones
from benchmark.command import main
from inflate_shrink.errors import InputError
from inflate_shrink.weight_files.paddle_file import arrays_of, read_paddle_file


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        Image.new("L", (40, 32 + number)).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("Rome, May")
    return folder


@pytest.fixture
def extractors(monkeypatch):
    """Each call takes two seconds by a clock that nothing else moves; a list of (backbone, threads, photos of each call)."""
    made, clock = [], [0.0]

    class Extractor:
        def __init__(self, settings, threads):
            self.calls = []
            made.append((settings.backbone, threads, self.calls))

        def regions(self, some):
            clock[0] += 2
            self.calls.append(len(some))

    monkeypatch.setattr(backbones, "Extractor", Extractor)
    monkeypatch.setattr(backbones, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    return made


def test_photos_per_second(photos, extractors, tmp_path, capsys):
    options = [
        "--images",
        photos,
        "--backbone",
        "one.onnx",
        "a/two.onnx",
        "--batch",
        1,
        5,
        "--threads",
        2,
        "--seconds",
        6,
    ]
    main(list(map(str, ["extraction", *options, "--json", tmp_path / "out.json"])))
    # one call before, then three of two seconds
    assert extractors == [("one.onnx", 2, [1] * 4 + [5] * 4), ("a/two.onnx", 2, [1] * 4 + [5] * 4)]
    found = json.loads((tmp_path / "out.json").read_text())
    ways = [
        {"threads": 2, "batch": 1, "photos_per_second": 0.5},
        {"threads": 2, "batch": 5, "photos_per_second": 2.5},
    ]
    assert found["backbones"] == [{"backbone": name, "ways": ways} for name in ("one.onnx", "two.onnx")]
    assert "two.onnx, shorter side 320" in capsys.readouterr().out


def test_photos_are_opened_once_and_bad_ones_left_out(photos):
    opened = backbones._photos(backbones.PhotoFolder(photos), 32, 0)
    assert sorted(photo.height for photo in opened) == [32, 33, 34]
    for path in photos.glob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match="no file can be used as a photo; of the last: .*notes.txt"):
        backbones._photos(backbones.PhotoFolder(photos), 32, 0)


def test_drawn_weights_are_those_of_the_network(tmp_path):
    path = backbones._random_weights("mobilenet_v3_small", tmp_path, 0)
    shapes = {name: array.shape for name, array in arrays_of(read_paddle_file(path)).items()}
    assert shapes["conv.0.weight"] == (16, 3, 3, 3) and shapes["classifier.3.weight"] == (1024, 1000)
    assert backbones._random_weights("net.onnx", tmp_path, 0) == ""


def test_refused(photos):
    with pytest.raises(InputError, match="must be above 0"):
        main(["extraction", "--images", str(photos), "--backbone", "one.onnx", "--batch", "0"])
