"""Where the tensors of an ONNX file lie, whatever part of the graph holds them; damage is one line."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from inflate_shrink.errors import InputError
from inflate_shrink.extract.onnx_files import external_files


def outside(location):
    """A tensor whose numbers are in a file."""
    tensor = TensorProto(name=location, data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0")):
        tensor.external_data.add(key=key, value=value)
    return tensor


@pytest.fixture
def model(tmp_path):
    """An ONNX file with tensors in the graph, in a node, in a graph of a node and in a function, beside their files."""
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=outside("c"))], "inner", [], [], [outside("d")]
    )
    nodes = [
        helper.make_node("Constant", [], ["a"], value=outside("a")),
        helper.make_node("If", ["x"], ["y"], then_branch=inner),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes, "outer", [], [], [outside("b"), helper.make_tensor("t", TensorProto.FLOAT, [2], [1, 2])]
        )
    )
    model.functions.add(name="f", domain="own").node.add().attribute.add(name="value", t=outside("e"))
    for name in "abcdef":
        (tmp_path / name).write_bytes(np.zeros(1, "<f4").tobytes())
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    return tmp_path / "model.onnx"


def test_tensors_in_every_place(model):
    assert [path.name for path in external_files(model)] == list("abcde")


def test_damaged_files(model):
    whole = model.read_bytes()
    for end in range(len(whole)):
        model.write_bytes(whole[:end])
        try:
            assert {path.name for path in external_files(model)} <= set("abcde")
        except InputError as error:
            assert str(model) in str(error) and "\n" not in str(error)
    for data in (b"", b"\xff" * 20, b"\x0b", b"no network"):
        model.write_bytes(data)
        with pytest.raises(InputError, match="not an ONNX model"):
            external_files(model)
