"""ONNX and Paddle Inference files behind one call."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.extract.networks import Network

IMAGE = np.random.default_rng(0).normal(size=(1, 3, 64, 96)).astype("float32")
MEANS = IMAGE.reshape(1, 3, 2, 32, 3, 32).mean((3, 5))


@pytest.fixture(scope="session")
def paddle_backbone(tmp_path_factory):
    import paddle

    prefix = tmp_path_factory.mktemp("paddle") / "mean"
    same = paddle.nn.Conv2D(3, 3, 1, bias_attr=False, weight_attr=paddle.nn.initializer.Dirac())
    network = paddle.nn.Sequential(paddle.nn.AvgPool2D(32), same)
    paddle.jit.save(
        network, str(prefix), input_spec=[paddle.static.InputSpec([None, 3, None, None], "float32", name="image")]
    )
    return next(path for path in prefix.parent.iterdir() if path.suffix in (".json", ".pdmodel"))


def test_onnx(backbone):
    network = Network(backbone)
    np.testing.assert_allclose(network(IMAGE)[0], MEANS, atol=1e-6)
    assert network.input_size is None
    assert network.fingerprint().startswith("mean.onnx sha256:")


def test_paddle_inference(paddle_backbone):
    network = Network(paddle_backbone)
    np.testing.assert_allclose(network(IMAGE)[0], MEANS, atol=1e-6)
    np.testing.assert_allclose(network(IMAGE[:, :, :32])[0], MEANS[:, :, :1], atol=1e-6)


@pytest.mark.parametrize("kind", ["backbone", "paddle_backbone"])
def test_threads_share_a_network(request, kind):
    network = Network(request.getfixturevalue(kind))
    images = [np.full((1, 3, 32 * (1 + number % 3), 64), number, "float32") for number in range(300)]
    with ThreadPoolExecutor(8) as threads:
        found = [*threads.map(lambda image: network(image)[0], images)]
    for number, output in enumerate(found):
        np.testing.assert_allclose(output, np.full((1, 3, 1 + number % 3, 2), number), rtol=1e-6)


@pytest.fixture
def external(network, tmp_path):
    """A network whose weights, ones, are in the file W beside it; a function that gives it another location."""
    import onnx
    from onnx.external_data_helper import convert_model_to_external_data

    path = network("Add", np.ones((1, 3, 1, 1), np.float32), ["n", 3, "h", "w"])

    def save(location="W"):
        model = onnx.load(str(path))
        convert_model_to_external_data(model, location="W", size_threshold=0)
        onnx.save(model, str(path))
        model = onnx.load(str(path), load_external_data=False)
        for entry in model.graph.initializer[0].external_data:
            entry.value = location if entry.key == "location" else entry.value
        path.write_bytes(model.SerializeToString())
        return path

    return save


def test_weights_beside_an_onnx_file_are_in_the_fingerprint(external, tmp_path):
    path = external()
    np.testing.assert_allclose(Network(path)(IMAGE)[0], IMAGE + 1, atol=1e-6)
    before = Network(path).fingerprint()
    expected = hashlib.sha256(path.read_bytes() + (tmp_path / "W").read_bytes()).hexdigest()[:16]
    assert before == f"net.onnx sha256:{expected}"
    (tmp_path / "W").write_bytes(np.full(3, 2, "<f4").tobytes())
    assert Network(path).fingerprint() != before
    (tmp_path / "W").unlink()
    with pytest.raises(InputError, match="net.onnx: its weights are in 'W', which is not beside it"):
        Network(path)


@pytest.mark.parametrize("location", ["/etc/passwd", "../W", "a/../../W", "..\\W", ""])
def test_weights_outside_the_folder_are_refused(external, location):
    with pytest.raises(InputError, match="leads out of its folder"):
        Network(external(location))


def test_missing_and_damaged_files(tmp_path, backbone, two_inputs):
    (tmp_path / "text.onnx").write_text("no network")
    (tmp_path / "cut.onnx").write_bytes(backbone.read_bytes()[:50])
    (tmp_path / "other.pt").touch()
    (tmp_path / "alone.pdmodel").touch()
    for path, message in (
        (tmp_path / "none.onnx", "no such file"),
        (tmp_path / "text.onnx", "not an ONNX model"),
        (tmp_path / "cut.onnx", "not an ONNX model"),
        (tmp_path / "other.pt", "expected .onnx"),
        (tmp_path / "alone.pdmodel", "alone.pdiparams beside it"),
        (two_inputs, "one input, the image; found 2: a, b"),
    ):
        with pytest.raises(InputError, match=message) as error:
            Network(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_an_input_that_the_network_refuses(backbone):
    with pytest.raises(InputError, match=r"mean.onnx: fails on an input of shape \(1, 5, 64, 64\)"):
        Network(backbone)(np.zeros((1, 5, 64, 64)))
