"""tools/search.py --image FILE: a photo is described, encoded and searched as the indexed ones were, as a user calls it."""

import json
import runpy
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import inflate_shrink as ins
from inflate_shrink import cli
from inflate_shrink.data.store import open_store
from inflate_shrink.engine.steps import train
from inflate_shrink.errors import InputError
from inflate_shrink.search.searcher import Searcher

pytestmark = pytest.mark.slow

TOOLS = Path(__file__).resolve().parents[2] / "tools"
COUNT = 12
NAMES = [f"{number}.png" for number in range(COUNT)]


def call(name, *arguments):
    cli.run_tool(runpy.run_path(str(TOOLS / f"{name}.py"))["main"], list(map(str, arguments)))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a backbone, photos of noise and their data sets: described, and with captions."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    place, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    write_backbone(onnx, place / "backbone.onnx", random.normal(size=(16, 3, 32, 32)))
    write_backbone(onnx, place / "other.onnx", random.normal(size=(16, 3, 32, 32)))
    (place / "photos").mkdir()
    for name in NAMES:
        Image.fromarray(random.integers(0, 256, (96, 64, 3), np.uint8)).save(place / "photos" / name)
    splits = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    lines = [
        {"image": name, "split": split, "captions": [f"photo number {number}", f"this is {number}"]}
        for number, (name, split) in enumerate(zip(NAMES, splits))
    ]
    (place / "captions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    extract(place, place / "regions")
    call(
        "prepare_data", "--captions", place / "captions.jsonl", "--format", "jsonl", "--regions", place / "regions", "--clusters", 4,
        "--workers", 1, "--out", place / "data",
    )  # fmt: skip
    return place


def extract(place, out):
    call(
        "extract_regions",
        "--images",
        place / "photos",
        "--backbone",
        place / "backbone.onnx",
        "--size",
        64,
        "--regions",
        5,
        "--workers",
        1,
        "--out",
        out,
    )


def write_backbone(onnx, path, weights):
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node("Conv", ["image", "weights"], ["map"], kernel_shape=[32, 32], strides=[32, 32])
    image, feature_map = (
        helper.make_tensor_value_info(name, real, ["n", c, "h", "w"]) for name, c in (("image", 3), ("map", 16))
    )
    constant = onnx.numpy_helper.from_array((weights / 32).astype("float32"), "weights")
    model = helper.make_model(
        helper.make_graph([node], "tiny", [image], [feature_map], [constant]),
        opset_imports=[helper.make_opsetid("", 13)],
    )
    model.ir_version = 8
    onnx.save(model, str(path))


@pytest.fixture(scope="module")
def models(place, tiny_config):
    """The runs of a B and an F on the photos with captions."""
    runs = {}
    for name, fragments in (("B", 3), ("F", 1)):
        runs[name] = place / "runs" / name
        train(
            tiny_config(
                "optim.epochs=1",
                f"data.dir={place / 'data'}",
                f"model.fragments={fragments}",
                "optim.batch_size=4",
                f"run.dir={runs[name]}",
            )
        )
    return runs


@pytest.fixture(scope="module")
def indexes(place, models):
    """A function: "photos" (a cascade, with the encoder of images), "texts" (without) or "captions" -> the index, made by its command."""
    options = {"photos": ["--first", models["F"], "--photos"], "texts": [], "captions": ["--items", "captions"]}

    def make(kind):
        directory = place / "indexes" / kind
        if not directory.exists():
            directory.parent.mkdir(exist_ok=True)
            call(
                "index",
                "build",
                "--checkpoint",
                models["B"],
                "--precision",
                "float32",
                "--out",
                directory,
                *options[kind],
            )
        return directory

    return make


def refused(result, *parts):
    """One line on standard error that holds all the parts, nothing else, and exit code 2."""
    code, stdout, stderr = result
    assert (code, stdout) == (2, "") and stderr.startswith("error: ") and stderr.count("\n") == 1, result
    for part in parts:
        assert str(part) in stderr


def hits_of(stdout):
    """(id, score) of each line."""
    return [(line.split()[2], float(line.split()[1])) for line in stdout.splitlines()]


def test_images_like_a_photo(tool, indexes, place, tmp_path):
    shutil.copy(place / "photos" / "7.png", tmp_path / "mine.png")
    arguments = ["search", "--index", indexes("photos"), "--image", tmp_path / "mine.png", "-k", COUNT]
    code, stdout, stderr = tool(*arguments, "--json", tmp_path / "hits.json")
    assert (code, stderr) == (0, "")
    result = json.loads((tmp_path / "hits.json").read_text())
    assert list(result) == ["index", "image", "hits"] and result["image"] == str(tmp_path / "mine.png")
    found = hits_of(stdout)
    assert sorted(item for item, _ in found) == sorted(NAMES)
    assert found[0][0] == "7.png" and found[0][1] == pytest.approx(3, abs=1e-4)  # three fragments, each its own best
    assert (
        tool(*arguments, "--mode", "exact")[1]
        == stdout
        == tool(*arguments[:-4], "--image", "7.png", "--data", place / "data", "-k", COUNT)[1]
    )
    like = hits_of(tool("search", "--index", indexes("photos"), "--like", "7.png", "-k", COUNT - 1)[1])
    assert [item for item, _ in like] == [item for item, _ in found[1:]]
    np.testing.assert_allclose([score for _, score in like], [score for _, score in found[1:]], atol=2e-4)


def test_captions_of_a_photo(tool, indexes, place):
    of_file = tool("search", "--index", indexes("captions"), "--image", place / "photos" / "4.png", "-k", 2 * COUNT)
    of_id = tool(
        "search", "--index", indexes("captions"), "--image", "4.png", "--data", place / "data", "-k", 2 * COUNT
    )
    assert of_file == of_id and of_file[0] == 0 and len(hits_of(of_file[1])) == 2 * COUNT


def test_networks_elsewhere(tool, indexes, place, tmp_path):
    moved = shutil.copy(place / "backbone.onnx", tmp_path / "renamed.onnx")
    arguments = ["search", "--index", indexes("captions"), "--image", place / "photos" / "4.png"]
    expected = tool(*arguments)
    (place / "backbone.onnx").rename(tmp_path / "gone.onnx")
    try:
        refused(
            tool(*arguments),
            f"{place / 'backbone.onnx'}: not there, the backbone that described the photos of",
            "give its file as --backbone",
        )
        assert tool(*arguments, "--backbone", moved) == expected
    finally:
        (tmp_path / "gone.onnx").rename(place / "backbone.onnx")
    refused(
        tool(*arguments, "--backbone", place / "other.onnx"),
        "its photos were described by 'the whole photo and cells of backbone backbone.onnx",
        "here are 'the whole photo and cells of backbone other.onnx",
    )
    refused(tool(*arguments, "--detector", moved), "described without a detector; leave out --detector")


def test_a_model_encodes_photos_as_the_regions_of_its_data(models, place, examples):
    model, store = ins.load_model(models["B"]), open_store(place / "data")
    files = [place / "photos" / name for name in ("4.png", "7.png")]
    found = model.encode_photos(files)
    expected = model.encode_images(*store.read_regions([store.image_ids.index(file.name) for file in files]))
    np.testing.assert_array_equal(found.vectors.numpy(), expected.vectors.numpy())
    failed, run = examples(type(model).encode_photos, RUN_OF_PHOTOS=models["B"], PHOTO=files[0])
    assert run and not failed


@pytest.mark.parametrize("known", [True, False])
def test_a_checkpoint_of_before_describes_photos_as_its_data_set_says(models, place, known):
    model, photo = ins.load_model(models["B"]), place / "photos" / "4.png"
    expected = model.encode_photos([photo])
    older = {**model.checkpoint.state, "regions": {"extractor": model.checkpoint.state["regions"]["extractor"]}}
    older = older if known else {key: value for key, value in older.items() if key != "regions"}
    model.checkpoint, model._describers = model.checkpoint._replace(state=older), {}
    np.testing.assert_array_equal(model.encode_photos([photo]).vectors.numpy(), expected.vectors.numpy())


def test_photos_that_cannot_be_encoded(models, place, trained, tmp_path):
    model, photo = ins.load_model(models["B"]), place / "photos" / "4.png"
    (tmp_path / "notes.txt").write_text("Rome, May")
    for files, networks, message in (
        ([], {}, "nothing to encode"),
        (photo, {}, "files must be a list, found '/"),
        ([photo, tmp_path / "notes.txt"], {}, "notes.txt: not an image of a kind that can be read"),
        ([tmp_path / "none.png"], {}, "none.png: no such photo"),
        ([photo], {"backbone": place / "other.onnx"}, "described by .*backbone.onnx.*, here are .*other.onnx"),
    ):
        with pytest.raises(InputError, match=message):
            model.encode_photos(files, **networks)
    with pytest.raises(InputError, match="does not record which networks described the photos it was trained on"):
        ins.load_model(trained()).encode_photos([photo])


def test_refused_in_one_line(tool, indexes, models, place, tiny_data, trained, tmp_path):
    photo = place / "photos" / "4.png"
    (tmp_path / "notes.txt").write_text("Rome, May")
    refused(
        tool("search", "--index", indexes("photos"), "--image", tmp_path / "notes.txt"),
        tmp_path / "notes.txt",
        "not an image of a kind that can be read",
    )
    refused(
        tool("search", "--index", indexes("photos"), "--image", "4.png"),
        "4.png: no such photo",
        "with --data DIR the id of an image",
    )
    refused(
        tool("search", "--index", indexes("texts"), "--image", photo),
        "an index of images; search it with a text, or build it with --photos",
    )
    refused(
        tool("search", "--index", indexes("photos"), "a text", "--backbone", photo),
        "--backbone has no effect without a photo",
    )
    build = [
        "index",
        "build",
        "--checkpoint",
        models["B"],
        "--out",
        tmp_path / "new",
        "--photos",
        "--items",
        "captions",
    ]
    refused(tool(*build), "an index of captions is searched by a photo as it is; leave out --photos")
    assert (
        tool("index", "build", "--checkpoint", trained(), "--split", "test", "--photos", "--out", tmp_path / "drawn")[0]
        == 0
    )
    refused(
        tool("search", "--index", tmp_path / "drawn", "--image", photo),
        "does not record which networks described its photos",
        "--reuse",
    )
    assert (
        tool("search", "--index", tmp_path / "drawn", "--image", "test-00003", "--data", tiny_data, "-k", 1)[1].split()[
            2
        ]
        == "test-00003"
    )


def test_an_encoder_that_was_exported_into_an_index(tool, indexes, models, place, tmp_path):
    index = shutil.copytree(indexes("texts"), tmp_path / "index")
    ask = ["search", "--index", index, "--image", place / "photos" / "7.png", "-k", 1]
    assert tool("export", "--checkpoint", models["F"], "--side", "image", "--out", index / "image_encoder")[0] == 0
    refused(tool(*ask), index / "image_encoder", "of weights", "export it of the index's checkpoint")
    shutil.rmtree(index / "image_encoder")
    assert tool("export", "--checkpoint", models["B"], "--side", "image", "--out", index / "image_encoder")[0] == 0
    code, stdout, stderr = tool(*ask)
    assert (code, stderr) == (0, "") and hits_of(stdout)[0][0] == "7.png"
    assert tool("index", "info", index, "--verify")[0] == 0


def test_data_of_an_earlier_version_is_described_by_reusing_it(tool, place, models, tmp_path):
    old = shutil.copytree(place / "regions", tmp_path / "old")
    meta = json.loads((old / "meta.json").read_text())
    (old / "files.json").unlink()
    del meta["extraction"]
    (old / "meta.json").write_text(json.dumps(meta))
    build = ["index", "build", "--checkpoint", models["B"], "--photos", "--out"]
    assert tool(*build, tmp_path / "a", "--data", old)[0] == 0
    ask = ["search", "--image", place / "photos" / "7.png", "-k", 1, "--index"]
    refused(tool(*ask, tmp_path / "a"), "does not record which networks described its photos")
    call_again = [
        "--backbone",
        place / "backbone.onnx",
        "--size",
        64,
        "--regions",
        5,
        "--workers",
        1,
        "--reuse",
        old,
        "--out",
        tmp_path / "new",
    ]
    assert f"({COUNT} of them as in" in tool("extract_regions", "--images", place / "photos", *call_again)[1]
    assert open_store(tmp_path / "new").meta["extraction"]["size"] == 64
    assert tool(*build, tmp_path / "b", "--data", tmp_path / "new")[0] == 0
    assert hits_of(tool(*ask, tmp_path / "b")[1])[0][0] == "7.png"


def test_threads_describe_and_search_photos(indexes, place):
    searcher = Searcher(indexes("photos"))

    def search(name):
        return searcher.search_image(searcher.describe_photo(place / "photos" / name), k=5)

    with ThreadPoolExecutor(8) as threads:
        found = [*threads.map(search, NAMES * 3)]
    assert [hits[0].id for hits in found] == NAMES * 3 and found[:COUNT] == found[COUNT : 2 * COUNT] == [
        *map(search, NAMES)
    ]
