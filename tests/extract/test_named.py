"""Backbones by name: Paddle's networks with weights from a file, or as Paddle downloads them."""

import sys

import numpy as np
import paddle
import pytest
from paddle.utils import download
from PIL import Image

from inflate_shrink.commands.extract_regions import main
from inflate_shrink.data.store import open_store
from inflate_shrink.errors import InputError
from inflate_shrink.extract import named
from inflate_shrink.extract.networks import Network, fingerprint
from inflate_shrink.extract.record import PhotoDescriber, read_photo
from inflate_shrink.json_values import JsonMapping

NAME = "mobilenet_v3_small"  # the smallest


@pytest.fixture(scope="session")
def network():
    """The whole network of random weights, its classifier too."""
    paddle.seed(0)
    network = paddle.vision.models.mobilenet_v3_small(pretrained=False)
    network.eval()
    return network


@pytest.fixture(scope="session")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.pdparams"
    paddle.save(network.state_dict(), str(path))
    return path


@pytest.fixture(scope="session")
def opened(weights):
    return Network(NAME, weights=str(weights))


def test_ends_at_the_feature_map(network, opened):
    """Its mean, through the classifier, is what the whole network says; of photos of other sizes, too."""
    images = np.random.default_rng(0).normal(size=(2, 3, 64, 96)).astype(np.float32)
    (maps,) = opened(images)
    assert maps.shape == (2, 576, 2, 3) and opened.input_size is None and opened.most_images is None
    with paddle.no_grad():
        expected = network(paddle.to_tensor(images)).numpy()
        found = network.classifier(paddle.to_tensor(maps.mean((2, 3)))).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(opened(images[1:, :, :32])[0], opened(images[:, :, :32])[0][1:], atol=1e-5)


def test_paddle_has_weights_of_every_name():
    for name in named.NAMES:
        url, checksum = sys.modules[named._maker(name).__module__].model_urls[named._KEYS.get(name, name)]
        assert url.endswith(".pdparams") and len(checksum) == 32


def test_weights_are_downloaded_by_paddle(opened, weights, monkeypatch):
    def fetched(url, checksum):
        asked.append((url, checksum))
        return str(weights)

    asked = []
    monkeypatch.setattr(download, "get_weights_path_from_url", fetched)
    assert named.weights_file(NAME) == weights and fingerprint(NAME) == opened.fingerprint()
    assert {*asked} == {paddle.vision.models.mobilenetv3.model_urls["mobilenet_v3_small_x1.0"]}


def test_a_failed_download_says_what_to_do(monkeypatch):
    def fails(url, checksum):
        raise RuntimeError(f"Download from {url} failed.\nRetry limit reached")

    monkeypatch.setattr(download, "get_weights_path_from_url", fails)
    says = (
        r"^resnet18: its weights cannot be downloaded \(Download from .* failed. Retry limit reached\); download "
        r"https://.*/resnet18.pdparams where there is a network, and give the file as --backbone-weights resnet18.pdparams$"
    )
    with pytest.raises(InputError, match=says):
        Network("resnet18")


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda state: state.pop("conv.0.weight"), "expected 'conv.0.weight' of shape .*, found none"),
        (
            lambda state: state.update({"conv.0.weight": paddle.zeros([1, 2])}),
            r"expected 'conv.0.weight' of shape \(16, 3, 3, 3\), found \(1, 2\)",
        ),
        (lambda state: state.update({"blocks.99.deeper": paddle.zeros([1])}), "which has no 'blocks.99.deeper'"),
    ],
)
def test_weights_of_another_network(network, tmp_path, change, says):
    state, path = dict(network.state_dict()), tmp_path / "other.pdparams"
    change(state)
    paddle.save(state, str(path))
    with pytest.raises(InputError, match=f"^{path}: no weights of {NAME}.*{says}"):
        Network(NAME, weights=str(path))


def test_files_that_are_no_weights(tmp_path):
    (tmp_path / "bad.pdparams").write_bytes(b"\x80\x04c")
    for path, says in (
        (tmp_path / "none", "no such file; expected the weights of"),
        (tmp_path / "bad.pdparams", "damaged"),
    ):
        with pytest.raises(InputError, match=f"^{path}: {says}"):
            Network(NAME, weights=str(path))


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("named") / "photos" / "a.png"
    path.parent.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)).save(path)
    return path


def test_a_photo_is_described_as_the_data_set_has_it(photo, weights, tmp_path):
    """By name, and where the weights have moved; by no other weights."""
    options = ["--images", photo.parent, "--size", "64", "--regions", "4", "--workers", "1", "--backbone", NAME]
    main(list(map(str, [*options, "--backbone-weights", weights, "--out", tmp_path / "out"])))
    store = open_store(tmp_path / "out")
    assert store.meta["extractor"].startswith(f"the whole photo and cells of backbone {NAME} sha256:")
    record = store.meta["extraction"]
    assert (record["backbone"], record["backbone_weights"]) == (NAME, str(weights))

    def described(record, backbone=""):
        made_of = JsonMapping(record, tmp_path / "meta.json")
        return PhotoDescriber(made_of, store.meta["extractor"], "the index", backbone)(read_photo(photo), str(photo))

    moved = {**record, "backbone_weights": "/gone.pdparams"}
    np.testing.assert_array_equal(described(moved, str(weights)), store.read_regions([0])[0][0])
    with pytest.raises(
        InputError, match="^/gone.pdparams: not there, the backbone weights .*give its file as --backbone$"
    ):
        described(moved)
    other = tmp_path / "other.pdparams"
    other.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(InputError, match="described by .*, here are .*; give the same networks"):
        described(record, str(other))


@pytest.mark.parametrize(
    "options, says",
    [
        (["--backbone", "resnet5O"], "^resnet5O: no such file; .* or of a backbone a name, such as resnet50"),
        (
            ["--backbone", NAME, "--backbone-preset", "unit"],
            f"--backbone-preset unit: {NAME} was trained with imagenet",
        ),
        (["--backbone", "a.onnx", "--backbone-weights", "b"], "^b: weights alone describe nothing"),
        (["--backbone", "resnet18", "--batch", "0"], "--batch must be 1 to 1024, found 0"),
        (
            ["--backbone", NAME, "--detector", "yolox_s"],
            "^yolox_s: no such file; .*of detectors Paddle has none by name",
        ),
    ],
)
def test_options_that_do_not_fit(photo, weights, tmp_path, monkeypatch, options, says):
    monkeypatch.setattr(download, "get_weights_path_from_url", lambda url, checksum: str(weights))
    with pytest.raises(InputError, match=says):
        main(["--images", str(photo.parent), "--out", str(tmp_path / "out"), *options])
    assert not (tmp_path / "out").exists()
