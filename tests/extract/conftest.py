"""Tiny networks as ONNX files, made with known weights."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


def save(path, nodes, outputs, constants, inputs=(("image", ["n", 3, "h", "w"]),)):
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(np.asarray(array, dtype), name) for name, (array, dtype) in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="session")
def backbone(tmp_path_factory):
    """The mean of each 32 x 32 cell: (n, 3, h, w) -> (n, 3, h / 32, w / 32)."""
    node = helper.make_node("AveragePool", ["image"], ["map"], kernel_shape=[32, 32], strides=[32, 32])
    return save(tmp_path_factory.mktemp("networks") / "mean.onnx", [node], [("map", ["n", 3, "y", "x"])], {})


@pytest.fixture(scope="session")
def detector(tmp_path_factory):
    """Whatever the image, three boxes in pixels of a 640 x 640 input and their scores; the second box is empty."""
    boxes = [[0, 0, 320, 640], [50, 50, 50, 80], [-100, 320, 640, 900]]
    nodes = [
        # zero times the image, so that the output depends on the input as in a real network
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["all_boxes", "nothing"], ["boxes"]),
        helper.make_node("Add", ["all_scores", "nothing"], ["scores"]),
    ]
    constants = {"zero": (0, "float32"), "all_boxes": (boxes, "float32"), "all_scores": ([0.2, 0.9, 0.5], "float32")}
    return save(
        tmp_path_factory.mktemp("networks") / "boxes.onnx", nodes, [("boxes", [3, 4]), ("scores", [3])], constants
    )


@pytest.fixture
def network(tmp_path):
    """A function: the file of a network that gives the image ``operation`` a constant, of this shape."""

    def make(operation, constant, shape, image=("n", 3, "h", "w")):
        node = helper.make_node(operation, ["image", "constant"], ["output"])
        constants = {"constant": (constant, constant.dtype)}
        return save(tmp_path / "net.onnx", [node], [("output", shape)], constants, [("image", image)])

    return make


@pytest.fixture(scope="session")
def two_inputs(tmp_path_factory):
    """A network that is no image network."""
    node = helper.make_node("Add", ["a", "b"], ["sum"])
    inputs = [("a", [1]), ("b", [1])]
    return save(tmp_path_factory.mktemp("networks") / "two.onnx", [node], [("sum", [1])], {}, inputs)
