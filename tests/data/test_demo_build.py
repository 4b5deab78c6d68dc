import subprocess

import numpy as np
import pytest
from PIL import Image

from inflate_shrink.data.demo.build import build_demo, draw_scene, is_built
from inflate_shrink.data.demo.spec import DemoSpec
from inflate_shrink.data.store import open_store
from inflate_shrink.errors import InputError

SPEC = DemoSpec(train=6, val=2, test=3)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo") / "data"
    build_demo(directory, 5, SPEC)
    return directory


def test_store(demo):
    store = open_store(demo)
    assert store.regions.shape == (11, 32, 128)
    assert store.region_counts.tolist() == [32] * 11
    for name, scenes in (("train", 6), ("val", 2), ("test", 3)):
        split = store.split(name)
        assert len(split.image_ids) == scenes and len(split.captions) == 5 * scenes
        assert split.captions == [
            caption.text for index in range(scenes) for caption in draw_scene(name, index, 5, SPEC)[1]
        ]
    regions, _ = store.read_regions(range(11))
    assert regions.min() >= 0 and 0.3 < regions.std() < 3
    assert "[CLS]" in store.vocabulary.read_text(encoding="utf-8").split("\n")


def test_images(demo):
    store = open_store(demo)
    for file, size in zip(store.image_files, store.image_sizes.tolist()):
        with Image.open(demo / file) as image:
            assert list(image.size) == size == [96, 96] and image.mode == "RGB"


def test_same_seed_same_data(demo, tmp_path):
    build_demo(tmp_path / "again", 5, SPEC)
    assert open_store(tmp_path / "again").fingerprint() == open_store(demo).fingerprint()


def test_other_seed_other_data(demo, tmp_path):
    build_demo(tmp_path / "other", 6, SPEC)
    assert open_store(tmp_path / "other").captions != open_store(demo).captions


def test_a_split_does_not_depend_on_the_size_of_another(demo, tmp_path):
    build_demo(tmp_path / "small", 5, DemoSpec(train=1, val=2, test=3))
    small, large = open_store(tmp_path / "small"), open_store(demo)
    assert small.split("test").captions == large.split("test").captions
    np.testing.assert_array_equal(small.regions[-3:], large.regions[-3:])


def test_is_built(demo, tmp_path):
    assert is_built(demo, 5, SPEC)
    assert not is_built(demo, 6, SPEC)
    assert not is_built(demo, 5, DemoSpec())
    assert not is_built(tmp_path / "none", 5, SPEC)
    (tmp_path / "meta.json").write_text("[]")
    assert not is_built(tmp_path, 5, SPEC)


def test_existing_directory(tmp_path):
    with pytest.raises(InputError, match="already exists"):
        build_demo(tmp_path, 5, SPEC)


@pytest.fixture
def tool(run_tool):
    """A function: arguments -> tools/make_demo_data.py run to its end."""
    return lambda *arguments: subprocess.CompletedProcess(arguments, *run_tool("make_demo_data", *arguments))


@pytest.mark.slow
def test_tool(tool, tmp_path):
    arguments = ("--out", tmp_path / "demo", "--scenes", 2, 1, 1)
    made = tool(*arguments)
    assert made.returncode == 0 and "4 scenes" in made.stdout and made.stderr == ""
    assert open_store(tmp_path / "demo").regions.shape == (4, 32, 128)
    again = tool(*arguments)
    assert again.returncode == 0 and "nothing to do" in again.stdout
    other = tool(*arguments, "--seed", 1)
    assert other.returncode == 2 and other.stderr.startswith("error: ") and "already exists" in other.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("--seed", -1), ("--scenes", 0, 0, 0), ("--scenes", -1, 5, 5)])
def test_tool_with_bad_numbers(tool, tmp_path, arguments):
    done = tool("--out", tmp_path / "demo", *arguments)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "demo").exists()


@pytest.mark.slow
def test_tool_help(tool):
    done = tool("--help")
    assert done.returncode == 0 and "python tools/make_demo_data.py --out" in done.stdout
