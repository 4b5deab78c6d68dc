"""Structure of what is measured, at tiny sizes. No test depends on how long anything takes."""

import itertools
import math
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmark import extraction
from benchmark.clustering import clustering_section, draw_regions, inertia_of, measure_clustering
from benchmark.data import DataBenchmark, measure_data
from benchmark.environment import describe_environment, environment, workspace
from benchmark.extraction import extraction_section, measure_extraction
from benchmark.loader import MODELS, loader_section, measure_loader, write_store
from benchmark.memory import measure_memory, memory_section, run_measured, write_collection
from benchmark.table import Row, format_section
from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.region_files import FORMATS
from inflate_shrink.data.region_files.records import Regions
from inflate_shrink.data.store import open_store
from inflate_shrink.errors import InputError
from inflate_shrink.extract.extractor import ExtractorSettings
from inflate_shrink.extract.photos import PhotoFolder

PREPARE = [sys.executable, "-m", "inflate_shrink.commands.prepare_data"]


@pytest.fixture
def photos(tmp_path):
    """Two photos and a file that is none."""
    for name, size in (("a.jpg", (64, 48)), ("b.png", (48, 64))):
        Image.new("RGB", size, "red").save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photo")
    return PhotoFolder(tmp_path)


def positive(*numbers):
    return all(math.isfinite(number) and number > 0 for number in numbers)


def test_environment():
    found = environment()
    assert found["cores"] >= 1 and found["load"] >= 0
    assert found["versions"]["numpy"] == np.__version__ and found["versions"]["paddle"]
    found["versions"]["scikit-learn"] = None
    assert describe_environment(found).endswith("scikit-learn (not installed)")


@pytest.mark.parametrize(
    "error, becomes",
    [(ValueError, ValueError), (KeyboardInterrupt, KeyboardInterrupt), (OSError(28, "No space left"), InputError)],
)
def test_workspace_is_removed_on_errors(error, becomes):
    with pytest.raises(becomes):
        with workspace() as directory:
            (directory / "file").write_text("x")
            raise error
    assert not directory.exists()


def test_format_section():
    rows = [Row("a", 1234.5, "images/s"), Row("b", 12.345, "ms"), Row("c", 0.94, "times"), Row("d", 1.5, "times")]
    lines = format_section("title", rows).splitlines()
    assert lines[0] == "title"
    assert [line.split() for line in lines[1:]] == [
        ["a", "1234", "images/s"],
        ["b", "12.3", "ms"],
        ["c", "0.940", "times"],
        ["d", "1.50", "times"],
    ]
    assert len({line.index(unit) for line, unit in zip(lines[1:], ("images", "ms", "times", "times"))}) == 1


def test_drawn_regions():
    first, same, other = (draw_regions(np.random.default_rng(seed), 50, 16) for seed in (1, 1, 2))
    assert first.shape == (50, 16) and first.dtype == np.float32 and (first >= 0).all() and first.any(1).all()
    assert (first == same).all() and (first != other).any()


def test_inertia():
    features, centres = np.array([[0, 0], [2, 0], [9, 1]], np.float32), np.array([[1, 0], [9, 0]], np.float32)
    assert inertia_of(features, centres) == 3  # 1 + 1 + 1


@pytest.mark.slow
def test_clustering():
    pytest.importorskip("sklearn")
    found = measure_clustering(3, regions=40, clusters=5, dimension=8)
    ours, peer = found["ours"], found["sklearn"]
    assert positive(*ours.values(), *peer.values())
    assert found["speed_ratio"] == ours["images_per_second"] / peer["images_per_second"]
    assert found["inertia_ratio"] == ours["inertia"] / peer["inertia"] < 1.5
    assert found["images"] == 3 and "3 drawn images of 40 regions, D = 8, to 5 centres" in clustering_section(found)
    again = measure_clustering(3, regions=40, clusters=5, dimension=8)
    assert again["inertia_ratio"] == found["inertia_ratio"]


def test_clustering_without_the_peer(monkeypatch):
    for name in ("sklearn", "sklearn.cluster", "threadpoolctl"):
        monkeypatch.setitem(sys.modules, name, None)
    found = measure_clustering(1, regions=6, clusters=2, dimension=4)
    assert positive(*found["ours"].values())
    assert found["sklearn"] is found["speed_ratio"] is found["inertia_ratio"] is None
    assert "scikit-learn is not installed" in clustering_section(found)


def test_loader():
    found = measure_loader(2, 1, images=8, regions=4, dimension=16, batch_size=4)
    assert list(found["models"]) == list(MODELS)
    assert positive(found["batches_per_second"])
    for model in found["models"].values():
        assert positive(*model.values())
        assert model["loader_ratio"] == found["batches_per_second"] / model["steps_per_second"]
    text = loader_section(found)
    assert "batches of 4 pairs, 4 regions, D = 16" in text and "hidden 64" in text and "hidden 128" in text


def test_store_that_is_loaded(tmp_path):
    write_store(tmp_path / "store", images=2, regions=3, dimension=4, seed=0)
    store = open_store(tmp_path / "store")
    assert store.regions.shape == (2, 3, 4) and store.regions.dtype == np.float16
    assert store.region_counts.tolist() == [3, 3] and store.split("train").caption_image.tolist() == [0] * 5 + [1] * 5


@pytest.mark.slow
def test_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = measure_memory(PREPARE, (4, 3))
    assert [one["images"] for one in found["sizes"]] == [4, 3]
    assert all(positive(*one.values()) for one in found["sizes"])
    larger, smaller = (one["peak_mib"] for one in found["sizes"])
    assert found["ratio"] == larger / smaller and found["kib_per_image"] == 1024 * (larger - smaller)
    assert "3 images" in memory_section(found) and "largest / smallest" in memory_section(found)
    assert not os.listdir(tmp_path)


def test_memory_of_one_size():
    found = measure_memory(PREPARE, (3,))
    assert found["ratio"] == 1 and found["kib_per_image"] == 0
    assert "largest" not in memory_section(found)


def test_preparing_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(
        InputError, match=r"none\.py failed on a drawn collection of 3 images \(exit code 2\): .*No such file"
    ):
        measure_memory([sys.executable, str(tmp_path / "none.py")], (3,))
    assert not os.listdir(tmp_path)


def test_collection_that_is_prepared(tmp_path):
    write_collection(tmp_path, 2, seed=0)
    reader = FORMATS["tsv"]
    items = list(reader.items([tmp_path / "regions.tsv"], BadRecords(skip=False)))
    assert [item.image_id for item in items] == ["img000001", "img000002"]
    found = reader.decode(items[1])
    assert found.features.shape == (36, 256) and found.boxes[0].tolist() == [0, 0, 640, 480]
    assert (found.features != reader.decode(items[0]).features).any()


@pytest.mark.slow
def test_peak_is_the_childs_own():
    mine = np.ones(300 << 17)  # 300 MiB, touched
    small = run_measured([sys.executable, "-S", "-c", "pass"])
    large = run_measured([sys.executable, "-S", "-c", "x = bytearray(b'x') * (100 << 20)"])
    assert small["code"] == large["code"] == 0 and small["seconds"] > 0
    assert small["peak_bytes"] < 100 << 20 < large["peak_bytes"] < mine.nbytes


@pytest.mark.parametrize(
    "code, expected",
    [("import sys; print(1); sys.exit('one\\ntwo')", (1, "two")), ("import os; os.kill(os.getpid(), 9)", (-9, ""))],
)
def test_command_that_fails(code, expected):
    found = run_measured([sys.executable, "-S", "-c", code])
    assert (found["code"], found["message"]) == expected


class FakeExtractor:
    """Five regions of every photo."""

    settings = SimpleNamespace(size=32)

    def __call__(self, photo):
        return Regions(np.eye(5, dtype=np.float32), np.zeros((5, 4), np.float32), photo.width, photo.height)


@pytest.mark.parametrize("seconds, photos_seen, different, left_out", [(0.5, 1, 1, {0, 1}), (50, 10, 2, {1})])
def test_extraction(photos, monkeypatch, seconds, photos_seen, different, left_out):
    ticks = itertools.count()  # the clock: a second for each look at it, so five for each photo
    monkeypatch.setattr(extraction, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    found = measure_extraction(photos, FakeExtractor(), seconds, regions=2)
    assert (
        (found["photos"], found["different"]) == (photos_seen, different)
        and found["left_out"] in left_out
        and found["boxes"] == 5
    )
    assert found["milliseconds"] == {"open": 1000, "extract": 1000, "cluster": 1000}
    assert found["photos_per_second"] == pytest.approx(1 / 3)
    assert f"{found['photos']} photos ({different} different" in extraction_section(found)


def test_extraction_without_photos(photos):
    (photos.source / "a.jpg").write_bytes(b"")
    (photos.source / "b.png").write_text("no photo either")
    with pytest.raises(InputError, match="no file can be used as a photo; of the last: .*/"):
        measure_extraction(photos, FakeExtractor())


def test_extraction_not_measured():
    assert "not measured; --images DIR and --backbone FILE" in extraction_section(None)


@pytest.mark.parametrize(
    "amount, message",
    [
        (dict(clustered=0), "--clustered must be 1 or more, found 0"),
        (dict(steps=-1), "--steps must be 1 or more, found -1"),
        (dict(sizes=(10, 2)), "--sizes must be 3 or more, found 2"),
        (dict(seed=-1), "--seed must be 0 or more, found -1"),
        (dict(seconds=0), "--seconds must be a number above 0, found 0"),
        (dict(seconds=math.inf), "--seconds must be a number above 0, found inf"),
        (dict(seconds=math.nan), "--seconds must be a number above 0, found nan"),
    ],
)
def test_amounts_out_of_range(amount, message):
    with pytest.raises(InputError, match=message):
        DataBenchmark(**amount)


def test_wrong_photos_are_found_before_anything_is_measured(tmp_path):
    shown = []
    with pytest.raises(InputError, match="no such directory"):
        measure_data(DataBenchmark(), PREPARE, str(tmp_path / "none"), ExtractorSettings("none.onnx"), shown.append)
    assert not shown
