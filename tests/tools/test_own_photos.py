"""From photos and captions to a trained model, as a user types it."""

import os
import re
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.errors import InputError


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """The mean of each 32 x 32 cell, times 16 numbers."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    weights = onnx.numpy_helper.from_array(
        np.random.default_rng(0).normal(size=(16, 3, 32, 32)).astype("float32") / 1024, "weights"
    )
    node = helper.make_node("Conv", ["image", "weights"], ["map"], kernel_shape=[32, 32], strides=[32, 32])
    image, feature_map = (
        helper.make_tensor_value_info(name, real, ["n", c, "h", "w"]) for name, c in (("image", 3), ("map", 16))
    )
    model = helper.make_model(
        helper.make_graph([node], "tiny", [image], [feature_map], [weights]),
        opset_imports=[helper.make_opsetid("", 13)],
    )
    model.ir_version = 8
    path = tmp_path_factory.mktemp("network") / "backbone.onnx"
    onnx.save(model, str(path))
    return path


COLOURS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200), "white": (250, 250, 250)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """24 photos of four colours, some in a folder with a space, and two files that are none; captions; split lists."""
    from PIL import Image

    directory = tmp_path_factory.mktemp("own")
    captions, lists = [], {"train": [], "val": [], "test": []}
    for number in range(24):
        colour = list(COLOURS)[number % 4]
        name = f"my trip/caf\u00e9 {number}.png" if number % 3 == 0 else f"{number}.jpg"
        (directory / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (96, 64), COLOURS[colour]).save(directory / "photos" / name)
        captions += [f"{name}#0\tA {colour} wall.\n", f"{name}#1\tEverything is {colour} here.\n"]
        lists["val" if number >= 20 else "test" if number >= 16 else "train"].append(name)
    (directory / "photos" / "notes.txt").write_text("Rome, May")
    (directory / "photos" / "cut.jpg").write_bytes((directory / "photos" / "1.jpg").read_bytes()[:200])
    (directory / "captions.txt").write_text("".join(captions), encoding="utf-8")
    for split, names in lists.items():
        (directory / f"{split}.txt").write_text("\n".join(names), encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def extracted(run_tool, photos, backbone):
    code, stdout, stderr = run_tool(
        "extract_regions",
        "--images",
        photos / "photos",
        "--backbone",
        backbone,
        "--size",
        64,
        "--out",
        photos / "regions",
        "--workers",
        1,
    )
    assert code == 0, stderr
    return stdout, stderr


def test_photos_to_regions(extracted, photos):
    stdout, stderr = extracted
    assert re.match(
        re.escape(f"{photos / 'regions'}: 24 photos, 2 files left out, ") + r"\d+ s, [\d.]+ photos/s\n$", stdout
    )
    assert sorted(line.split(": ")[1].rpartition("/")[2] for line in stderr.splitlines()) == ["cut.jpg", "notes.txt"]
    store = open_store(photos / "regions")
    assert store.image_ids[-1] == "my trip/caf\u00e9 9.png" and all(
        store.image_path(row).is_file() for row in range(24)
    )


def test_a_folder_that_has_grown(extracted, run_tool, photos, backbone, tmp_path):
    for name in ("0.jpg", "1.jpg", "new.jpg"):
        old = photos / "photos" / ("my trip/caf\u00e9 0.png" if name == "0.jpg" else "1.jpg")
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(old.read_bytes() + (b"" if name != "new.jpg" else b"\0"))
    call = (
        "extract_regions",
        "--images",
        tmp_path / "photos",
        "--backbone",
        backbone,
        "--reuse",
        photos / "regions",
        "--workers",
        1,
    )
    code, stdout, stderr = run_tool(*call, "--size", 64, "--out", tmp_path / "out")
    assert (code, stderr) == (
        0,
        "",
    ) and f"out: 3 photos (2 of them as in {photos / 'regions'}), 0 files left out" in stdout
    code, stdout, stderr = run_tool(*call, "--size", 96, "--out", tmp_path / "other")
    assert (
        code == 2
        and stderr.startswith("error: ")
        and stderr.count("\n") == 1
        and "nothing of it can be reused" in stderr
    )


@pytest.mark.slow
def test_from_photos_to_a_score(extracted, run_tool, photos):
    code, stdout, stderr = run_tool(
        "prepare_data",
        "--captions",
        photos / "captions.txt",
        "--format",
        "flickr",
        "--regions",
        photos / "regions",
        "--split",
        *(f"{split}={photos / split}.txt" for split in ("train", "val", "test")),
        "--out",
        photos / "out",
    )
    assert (code, stderr) == (0, "")
    assert "out: 24 images, 48 captions, 0 records left out" in stdout
    assert "train: 16 images, 32 captions; test: 4 images, 8 captions; val: 4 images, 8 captions" in stdout
    store = open_store(photos / "out")
    assert all(store.image_path(row).is_file() for row in range(24)) and "##d" in store.vocabulary.read_text().split()

    config = photos / "own.yaml"
    config.write_text(
        f"recipe: released\ndata: {{dir: {photos / 'out'}}}\nmodel: {{hidden: 16, layers: 1, heads: 2, ffn: 16}}\n"
        f"optim: {{lr: 1e-4, epochs: 1, batch_size: 8, schedule: constant}}\nrun: {{dir: {photos / 'run'}}}\n"
    )
    code, stdout, stderr = run_tool("train", "-c", config, "-o", "model.init=linear")
    assert (code, stderr) == (0, "") and "linear start, as a model of its own" in stdout
    code, stdout, stderr = run_tool("eval", "-c", config, "--json", photos / "results.json")
    assert (code, stderr) == (0, "") and (photos / "results.json").is_file()


def test_extraction_refuses_in_one_line(run_tool, photos, backbone, tmp_path):
    arguments = "--backbone", backbone, "--out", tmp_path / "out", "--workers", 1
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(photos / "photos" / "1.jpg", "../1.jpg")
    for images, parts in (
        (photos / "photos", ["cut.jpg: ", "without --strict"]),
        (tmp_path / "photos.zip", ["'../1.jpg'", "outside"]),
    ):
        code, stdout, stderr = run_tool("extract_regions", "--images", images, "--strict", *arguments)
        assert code == 2 and stderr.startswith("error: ") and stderr.count("\n") == 1
        assert all(part in stderr for part in parts) and os.listdir(tmp_path) == ["photos.zip"]


def test_detector_options_without_a_detector(tmp_path):
    main = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "extract_regions.py"), run_name="extract_regions")[
        "main"
    ]
    for option, value in (("--boxes", "36"), ("--detector-preset", "yolov8")):
        with pytest.raises(InputError, match=f"{option} has no effect without --detector"):
            main(["--images", str(tmp_path), "--backbone", "none.onnx", "--out", str(tmp_path / "out"), option, value])
