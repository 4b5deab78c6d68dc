"""What of a CLIP's folder is read, and what is refused in one line."""

import json

import numpy as np
import onnx
import pytest
from clips import LENGTH, PREPROCESSOR, WORDS, write_clip
from PIL import Image

from inflate_shrink.errors import InputError
from inflate_shrink.search.clip.folder import copy_folder, fingerprint, networks_of
from inflate_shrink.search.clip.networks import PhotoNetwork, TextNetwork
from inflate_shrink.search.clip.pixels import read_pixels
from inflate_shrink.search.clip.tokens import ClipTokenizer


@pytest.fixture
def folder(tmp_path):
    """A function that writes a CLIP anew, with some keys of one of its JSON files changed; None: the key removed."""

    def write(name="", changes=None, **how):
        directory = write_clip(tmp_path / "clip", **how)
        if name:
            content = {**json.loads((directory / name).read_text()), **(changes or {})}
            content = {key: value for key, value in content.items() if value is not None}
            (directory / name).write_text(json.dumps(content))
        return directory

    return write


def test_networks_in_the_folder_or_in_onnx_and_of_one_variant(tmp_path):
    plain = write_clip(tmp_path / "plain")
    quantized = write_clip(tmp_path / "quantized", place="onnx", variant="_quantized")
    assert [path.name for path in networks_of(plain).values()] == ["text_model.onnx", "vision_model.onnx"]
    found = networks_of(quantized)["text_model.onnx"]
    assert found == quantized / "onnx" / "text_model_quantized.onnx"
    for kind in ("text", "vision"):
        (quantized / "onnx" / f"{kind}_model_fp16.onnx").write_bytes(b"")
    with pytest.raises(InputError, match="several variants of a CLIP: text_model_fp16.onnx, text_model_quantized.onnx"):
        networks_of(quantized)
    for path, says in (
        (tmp_path, "no text_model.onnx with a vision_model.onnx"),
        (tmp_path / "x", "no such directory"),
    ):
        with pytest.raises(InputError, match=says):
            networks_of(path)


def test_a_copy_is_the_same_clip(tmp_path):
    source = write_clip(tmp_path / "source", place="onnx", external=True)
    copy_folder(source, tmp_path / "copy")
    (of_source,), (of_copy,) = (TextNetwork(path)(["red"]) for path in (source, tmp_path / "copy"))
    np.testing.assert_array_equal(of_source.fragments, of_copy.fragments)
    before = fingerprint(tmp_path / "copy")
    assert before == fingerprint(tmp_path / "copy")
    (tmp_path / "copy" / "preprocessor_config.json").write_text("{}")
    assert fingerprint(tmp_path / "copy") != before


def test_weights_outside_the_folder(folder):
    directory = folder(external=True)
    path = directory / "text_model.onnx"
    model = onnx.load(str(path), load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        entry.value = "../secret" if entry.key == "location" else entry.value
    path.write_bytes(model.SerializeToString())
    for refuse in (lambda: TextNetwork(directory), lambda: fingerprint(directory)):
        with pytest.raises(InputError, match="'../secret', which leads out of its folder"):
            refuse()


def test_pixels_by_hand(folder):
    """The shorter side to 32, the middle cut out, (x / 255 - 0.5) / 0.5."""
    image = Image.new("RGB", (128, 64), (255, 0, 51))
    image.paste((0, 0, 0), (0, 0, 24, 64))  # is cut off
    pixels = read_pixels(folder())(image)
    assert pixels.shape == (3, 32, 32) and pixels.dtype == np.float32
    np.testing.assert_allclose(pixels[:, 16, 16], [1, -1, -0.6], atol=1e-6)
    assert pixels[0].min() > 0.99


@pytest.mark.parametrize(
    "changes, shape",
    [
        ({"size": 48, "crop_size": 32}, (32, 32)),
        ({"size": {"height": 24, "width": 40}, "do_center_crop": False}, (24, 40)),
        ({"size": 40, "do_center_crop": False, "crop_size": None}, (40, 40)),
        ({"do_rescale": False, "do_normalize": None}, (32, 32)),
    ],
)
def test_settings_of_pixels(folder, changes, shape):
    pixels = read_pixels(folder("preprocessor_config.json", changes))
    assert pixels.shape == shape and pixels(Image.new("RGB", (90, 30))).shape == (3, *shape)


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"do_resize": False}, "do_resize is off"),
        ({"do_pad": True}, "do_pad is not read here"),
        ({"size": {"shortest_edge": 32, "longest_edge": 64}}, "size.shortest_edge: an unknown key"),
        ({"size": {"shortest_edge": 1 << 30}}, "expected a whole number from 1 to 4096"),
        ({"size": {"shortest_edge": 16}}, "expected a crop within the size"),
        ({"do_center_crop": False}, "expected a crop within the size"),
        ({"image_std": [0.5, 0, 0.5]}, "three above 0 as image_std"),
        ({"image_mean": "red"}, "image_mean: expected a list of finite numbers"),
        ({"resample": 9}, "resample: expected a whole number from 0 to 5"),
        ({"size": None}, "size: it is missing"),
    ],
)
def test_settings_of_pixels_that_are_refused(folder, changes, says):
    assert PREPROCESSOR["size"] == {"shortest_edge": 32}
    with pytest.raises(InputError, match=f"preprocessor_config.json: .*{says}"):
        read_pixels(folder("preprocessor_config.json", changes))


def test_texts_are_cut_and_unknown_words_known(folder):
    tokenizer = ClipTokenizer(folder())
    ids, mask = tokenizer(["a photo", "red"])
    assert ids.tolist() == [[2, 3, 4], [2, 6, 0]] and mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    long = "red " * LENGTH
    assert tokenizer([long])[0].shape == (1, LENGTH) and tokenizer.is_cut(long) and not tokenizer.is_cut("red")
    assert tokenizer.unknown_words("a Cat and a dog, a Cat") == ["Cat", "dog", ","]


@pytest.mark.parametrize(
    "name, changes, how, length",
    [
        ("tokenizer_config.json", {"model_max_length": 1e30}, {}, 77),
        ("tokenizer_config.json", {"model_max_length": None}, {"kind": "siglip"}, 64),
        ("config.json", {"text_config": {"max_position_embeddings": 5}}, {}, LENGTH),
    ],
)
def test_the_longest_text(folder, name, changes, how, length):
    tokenizer = ClipTokenizer(folder(name, changes, **how))
    assert tokenizer.length == length
    assert tokenizer(["red"])[0].shape == (1, 64 if how else 2)  # SigLIP reads whole lengths alone


def test_without_a_mask_a_text_is_read_without_padding(folder, tmp_path):
    (with_mask,), without = TextNetwork(folder())(["red"]), write_clip(tmp_path / "without", mask=False)
    for found in TextNetwork(without)(["red", "red"]):
        np.testing.assert_allclose(found.fragments, with_mask.fragments, atol=1e-6)


@pytest.mark.parametrize("name", ["text_model.onnx", "tokenizer.json", "config.json"])
def test_damaged_files(folder, name):
    directory = folder()
    (directory / name).write_bytes(b"{}}")
    with pytest.raises(InputError, match=f"{name}: ") as caught:
        TextNetwork(directory)
    assert "\n" not in str(caught.value)


def test_networks_that_are_no_clip(folder):
    directory = folder()
    text, vision = (directory / f"{kind}_model.onnx" for kind in ("text", "vision"))
    model = onnx.load(str(text))
    model.graph.input[0].name = model.graph.node[0].input[1] = "words"
    onnx.save(model, str(text))
    with pytest.raises(InputError, match="an input 'words', which a CLIP has not; expected input_ids"):
        TextNetwork(directory)(["red"])
    model = onnx.load(str(vision))
    model.graph.node[-1].output[0] = model.graph.output[0].name = "logits"
    onnx.save(model, str(vision))
    with pytest.raises(
        InputError, match="has the outputs logits, and no image_embeds; export the network with its proj"
    ):
        PhotoNetwork(directory)
    assert len(WORDS) == 10
