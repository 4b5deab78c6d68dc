"""tools/visualize.py as a user calls it."""

import runpy
import shutil
from pathlib import Path

import pytest
from PIL import Image

from inflate_shrink.data.store import open_store
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.errors import InputError

TOOL = Path(__file__).resolve().parents[2] / "tools" / "visualize.py"


@pytest.fixture(scope="module")
def checkpoint(trained):
    return trained("model.codes=3", "model.fragments=all")


@pytest.fixture
def visualize(checkpoint, tmp_path, capsys):
    """A function: command and options -> what the tool printed; its files are tmp_path/out.*."""
    main = runpy.run_path(str(TOOL))["main"]

    def run(command, *options, checkpoint=checkpoint):
        main([command, "--checkpoint", str(checkpoint), "--out", str(tmp_path / "out"), *options])
        assert Image.open(tmp_path / "out.png").format == "PNG"
        assert (tmp_path / "out.html").read_text(encoding="utf-8").startswith("<!doctype html>")
        return capsys.readouterr().out

    return run


def test_command_line(run_tool, checkpoint, tmp_path):
    code, stdout, stderr = run_tool(
        "visualize",
        "attention",
        "--checkpoint",
        checkpoint,
        "--caption",
        "a red ball <script>",
        "--out",
        tmp_path / "out",
    )
    assert (code, stderr) == (0, "")
    assert (
        stdout.startswith(f"{tmp_path}/out.png, {tmp_path}/out.html: 1 layers, 2 heads, ") and stdout.count("\n") == 1
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.html", "out.png"]
    assert (
        "<script>alert" not in (tmp_path / "out.html").read_text()
        and "red ball &lt;script&gt;" in (tmp_path / "out.html").read_text()
    )


@pytest.mark.slow
def test_attention_of_an_image_and_of_a_numbered_caption(visualize, tiny_data):
    assert "35 positions of image test-00002" in visualize("attention", "--image", "test-00002", "--heads", "2")
    caption = open_store(tiny_data).split("val").captions[2]
    assert f'positions of "{caption}"' in visualize(
        "attention", "--split", "val", "--number", "3", "--data", str(tiny_data)
    )


@pytest.mark.slow
def test_match(visualize, tiny_data):
    split = open_store(tiny_data).split("test")
    image = split.image_ids[split.caption_image[6]]
    numbered = visualize("match", "--number", "7")
    assert f'"{split.captions[6]}" in image {image}, score ' in numbered
    assert visualize("match", "--caption", split.captions[6], "--image", image) == numbered

    def score(*options):
        return float(visualize("match", "--caption", split.captions[6], *options).split("score ")[1].split()[0])

    assert score() == max(score("--image", name) for name in split.image_ids)


def test_photo_that_is_gone(visualize, checkpoint, own_data, tmp_path):
    shutil.rmtree(own_data / "images")
    visualize("match", "--number", "1", "--data", str(own_data))
    assert f"(no photo can be read at {own_data / 'images'}" in (tmp_path / "out.html").read_text()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("attention", "give one of --caption, --image and --number"),
        ("attention --caption a --number 1", "give one of --caption, --image and --number"),
        ("attention --caption", "--caption is empty"),
        ("attention --caption \udcff", "--caption '\\\\udcff' is not UTF-8"),
        ("attention --caption a --heads 1 3", "--heads must be from 1 to 2, the model's, found 3"),
        ("attention --caption a --layers 0", "--layers must be from 1 to 1, the model's, found 0"),
        ("attention --image nobody", "images.tsv: no image 'nobody'; its first column holds the ids: train-00000, "),
        ("attention --number 51", "split 'test' has captions 1 to 50, found --number 51"),
        ("match --number 0", "split 'test' has captions 1 to 50, found --number 0"),
        ("match --image test-00000", "give --caption, with or without --image, or --number alone"),
        ("match --number 1 --caption a", "give --caption, with or without --image, or --number alone"),
        ("match --number 1 --image test-00000", "give --caption, with or without --image, or --number alone"),
        ("match --caption", "--caption is empty"),
        ("match --caption a --image nobody", "no image 'nobody'"),
        ("match --caption a --split none", "no caption of split 'none'; its splits are: train, val, test"),
        ("match --caption a --data nowhere", "nowhere: no such data set directory"),
    ],
)
def test_bad_input(visualize, tmp_path, arguments, message):
    arguments = arguments.split(" ")
    arguments += [" "] if arguments[-1] == "--caption" else []
    with pytest.raises(InputError, match=message):
        visualize(*arguments)
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize(
    "command, key, value, message",
    [
        ("match", "fragments", "1", "one fragment a side"),
        ("match", "scoring", "cross", "a cross-BERT"),
        ("attention", "scoring", "cross", "a cross-BERT"),
    ],
)
def test_models_that_have_nothing_to_show(visualize, checkpoint, tmp_path, command, key, value, message):
    directory = shutil.copytree(open_checkpoint(checkpoint).directory, tmp_path / "copy")
    (directory / "files.json").unlink()
    config = (directory / "config.yaml").read_text().splitlines()
    (directory / "config.yaml").write_text(
        "\n".join(f"  {key}: {value}" if line.strip().startswith(f"{key}:") else line for line in config)
    )
    with pytest.raises(InputError, match=f"{directory}: .*{message}"):
        visualize(command, "--caption", "a", checkpoint=directory)


def test_data_of_other_regions(visualize, checkpoint, tmp_path):
    directory = shutil.copytree(open_checkpoint(checkpoint).directory, tmp_path / "copy")
    (directory / "files.json").unlink()
    state = directory / "state.json"
    state.write_text(state.read_text().replace('"region_dim": 128', '"region_dim": 2048'))
    with pytest.raises(InputError, match="regions have 128 dimensions, .*copy was trained on 2048"):
        visualize("attention", "--image", "test-00002", checkpoint=directory)


def test_missing_command(run_tool):
    code, _, stderr = run_tool("visualize")
    assert code == 2 and "COMMAND" in stderr
