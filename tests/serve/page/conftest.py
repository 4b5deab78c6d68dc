"""A service of small indexes, a browser on its page, and hands for both."""

import json

import numpy as np
import pytest
from browser import Browser, missing
from hands import EVIL, EVIL_CAPTION, Page
from running import Service


def _write_network(path):
    """Write a network of one convolution: 16 numbers for each 32 x 32 pixels."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.random.default_rng(0).normal(size=(16, 3, 32, 32)) / 32
    node = helper.make_node("Conv", ["image", "weights"], ["map"], kernel_shape=[32, 32], strides=[32, 32])
    image, found = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", c, "h", "w"])
        for name, c in (("image", 3), ("map", 16))
    )
    constant = numpy_helper.from_array(weights.astype("float32"), "weights")
    graph = helper.make_graph([node], "tiny", [image], [found], [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    save(model, str(path))


@pytest.fixture(scope="session")
def photos(tiny_data, tiny_config, tmp_path_factory):
    """A folder with photos, whose name or caption would run as a script if it could, and indexes of photos and captions."""
    from PIL import Image

    from inflate_shrink.commands import extract_regions, prepare_data
    from inflate_shrink.engine.checkpoint import open_checkpoint
    from inflate_shrink.engine.steps import train
    from inflate_shrink.search.build import BuildSettings, Models, build_index

    place = tmp_path_factory.mktemp("photos")
    (place / "photos").mkdir()
    scenes = sorted((tiny_data / "images").iterdir())[:8]
    names = [scene.name for scene in scenes[1:]] + [f"{EVIL}.png"]
    for scene, name in zip(scenes, names):
        Image.open(scene).resize((256, 256), Image.Resampling.NEAREST).save(place / "photos" / name)
    lines = [
        {"image": name, "split": split, "captions": [EVIL_CAPTION, f"a box in {name[:-4]}"]}
        for name, split in zip(names, ["train"] * 4 + ["val"] * 2 + ["test"] * 2)
    ]
    (place / "captions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    _write_network(place / "network.onnx")
    described = f"--images {place}/photos --backbone {place}/network.onnx --size 64 --regions 5 --workers 1"
    extract_regions.main(f"{described} --out {place}/regions".split())
    captioned = f"--captions {place}/captions.jsonl --format jsonl --regions {place}/regions --clusters 4 --workers 1"
    prepare_data.main(f"{captioned} --out {place}/data".split())
    data = f"data.dir={place / 'data'}"
    train(tiny_config("optim.epochs=1", data, "optim.batch_size=4", f"run.dir={place / 'run'}", "name=P"))
    models = Models(open_checkpoint(place / "run"))
    build_index(place / "indexed", models, place / "data", "", BuildSettings(precision="float32", photos=True))
    build_index(place / "captions", models, place / "data", "", BuildSettings(holds="captions", precision="float32"))
    return place


@pytest.fixture(scope="session")
def service(indexes, photos, trained, tiny_data, tmp_path_factory):
    """A service whose ways are 0:cascade and 0:exact of an I with a measured first stage, 1:exact of an F, 2:exact of
    photos and 3:exact of captions."""
    from inflate_shrink.engine.checkpoint import open_checkpoint
    from inflate_shrink.search.build import BuildSettings, Models, build_index
    from inflate_shrink.serve.app import build_app
    from inflate_shrink.serve.collection import open_collection

    vectors = tmp_path_factory.mktemp("vectors") / "index"
    build_index(vectors, Models(open_checkpoint(trained("model.fragments=1"))), tiny_data, "", BuildSettings())
    collection = open_collection([indexes[0], vectors, photos / "indexed", photos / "captions"], threads=1)
    collection.warm_up()
    service = Service(build_app(collection, "tiny", hosts=frozenset({"127.0.0.1"})), photos / "photos")
    yield service
    service.close()


@pytest.fixture(scope="session")
def browser():
    """A browser, where there is one."""
    import paddle

    if missing():
        pytest.skip(missing())
    if paddle.__version__ < "3":
        pytest.skip("no line of the page knows Paddle: it is tested under Paddle 3 alone")
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def page(browser, service):
    """Who sits before the page, which is not open yet; what the browser complained of fails the test unless it was ordered."""
    page = Page(browser, service)
    yield page
    service.busy, service.delays = 0, []
    said = [entry["message"] for entry in browser.driver.get_log("browser")]
    assert not [line for line in said if "Failed to load resource" not in line], said
