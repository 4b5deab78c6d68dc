"""What paddle.save writes is read as it wrote it, and nothing in a file can be made to run."""

import os
import pickle

import numpy as np
import paddle
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.weight_files import paddle_file
from inflate_shrink.weight_files.paddle_file import arrays_of, read_paddle_file

protocols = pytest.mark.parametrize("protocol", [2, 3, 4])


@protocols
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"])
def test_every_type(tmp_path, protocol, dtype):
    values = np.array([[0, 1, 7], [100, 3, 2]]).astype(dtype)
    paddle.save({"a": paddle.to_tensor(values)}, str(tmp_path / "file"), protocol=protocol)
    read = read_paddle_file(tmp_path / "file")["a"]
    assert read.dtype == dtype and read.shape == (2, 3) and (read == values).all() and not read.flags.writeable


@protocols
def test_state_of_a_model_and_of_its_optimizer(tmp_path, protocol):
    layer = paddle.nn.Linear(2, 3)
    optimizer = paddle.optimizer.AdamW(parameters=layer.parameters())
    layer(paddle.ones([1, 2])).sum().backward()
    optimizer.step()
    paddle.save(layer.state_dict(), str(tmp_path / "weights"), protocol=protocol)
    weights = read_paddle_file(tmp_path / "weights")
    assert weights.keys() == {"weight", "bias"}
    assert (weights["weight"] == layer.weight.numpy()).all() and (weights["bias"] == layer.bias.numpy()).all()

    scaler = {
        "scale": np.array([1024.0], "float32"),
        "incr_count": 3,
        "use": True,
        "ratio": 2.0,
        "nothing": None,
        "number": np.float64(3),
    }
    paddle.save({"optimizer": optimizer.state_dict(), "scaler": scaler}, str(tmp_path / "training"), protocol=protocol)
    training = read_paddle_file(tmp_path / "training")
    assert training["scaler"].pop("scale") == 1024 and training["scaler"] == {
        "incr_count": 3,
        "use": True,
        "ratio": 2.0,
        "nothing": None,
        "number": 3.0,
    }
    for name, tensor in optimizer.state_dict().items():
        kept, array = training["optimizer"][name]
        assert kept == tensor.name and (array == tensor.numpy()).all()


def test_bfloat16(tmp_path):
    paddle.save({"a": paddle.to_tensor([1.0, -2.5, 1e30]).astype("bfloat16")}, str(tmp_path / "file"))
    found = read_paddle_file(tmp_path / "file")
    assert found["a"].dtype == np.uint16
    np.testing.assert_allclose(arrays_of(found)["a"], [1.0, -2.5, 1e30], rtol=2**-7)


def test_arrays_whatever_the_tensors_were_called(tmp_path):
    content = {
        "named": paddle.ones([2], "float16"),
        "list": [1],
        "half": np.ones(2, "float16"),
        "number": 1,
        "none": (),
    }
    paddle.save({**content, "nested": {"a": paddle.ones([1])}}, str(tmp_path / "file"))
    found = arrays_of(read_paddle_file(tmp_path / "file"))
    assert {name: array.dtype for name, array in found.items()} == {"named": "float16", "half": "float16"}


@protocols
def test_shapes(tmp_path, protocol):
    fortran, big_endian = np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(3, dtype=">i4")
    arrays = {
        "fortran": fortran,
        "big": big_endian,
        "empty": np.zeros((0, 3)),
        "scalar": np.array(7.0),
        "none": np.zeros(0, "int8"),
    }
    (tmp_path / "file").write_bytes(pickle.dumps(arrays, protocol))
    found = read_paddle_file(tmp_path / "file")
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].shape == array.shape


def test_slices_of_a_large_array(tmp_path):
    parts = {
        "a@@.0": np.arange(4),
        "a@@.1": np.arange(4, 6),
        "UnpackBigParamInfor@@": {"a": {"OriginShape": (2, 3), "slices": ["a@@.0", "a@@.1"]}},
    }
    (tmp_path / "file").write_bytes(pickle.dumps({**parts, "b": 1}, 2))
    found = read_paddle_file(tmp_path / "file")
    assert found.keys() == {"a", "b"} and found["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_array_that_is_there_twice(tmp_path):
    array = np.ones(3)
    (tmp_path / "file").write_bytes(pickle.dumps({"a": array, "b": array}, 4))
    found = read_paddle_file(tmp_path / "file")
    assert found["a"] is found["b"] and found["a"].tolist() == [1, 1, 1]


class Evil:
    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


@protocols
def test_nothing_is_called(tmp_path, protocol):
    trap = tmp_path / "trap"
    calls = [
        (os.system, (f"touch {trap}",)),
        (eval, (f"open({str(trap)!r}, 'w')", {})),
        (np.save, (str(trap), 1)),
        (np.fromfile, (str(trap),)),
    ]
    (tmp_path / "file").write_bytes(
        pickle.dumps({"a": np.ones(2), **{str(n): Evil(call) for n, call in enumerate(calls)}}, protocol)
    )
    try:
        found = read_paddle_file(tmp_path / "file")
        assert not any(isinstance(found[str(n)], np.ndarray) for n in range(4))
    except InputError as error:  # 'eval' is how Paddle writes some tensors, with another text
        assert "damaged or not written by Paddle" in str(error)
    assert not trap.exists()


def array_of(shape, data, dtype="f4"):
    """An array that says it has this shape, type and bytes."""
    reconstruct = np.zeros(0).__reduce__()[0]
    return Evil((reconstruct, (np.ndarray, (0,), b"b"), (1, shape, np.dtype(dtype), False, data)))


@pytest.mark.parametrize(
    "thing",
    [
        array_of((1 << 40,), b""),
        array_of((1 << 31, 4), b"abcd"),
        array_of((-1, -1), b"abcd"),
        array_of((1,), b"abcdefgh"),
        array_of((1,), [None], "O"),
        Evil((np.dtype, ("O",))),
        Evil((np.dtype, ("V1000000000",))),
    ],
)
def test_arrays_that_are_not_what_they_say(tmp_path, thing, peak_memory):
    (tmp_path / "file").write_bytes(pickle.dumps({"a": thing}, 4))
    with peak_memory(at_most=1 << 20), pytest.raises(InputError, match="file: damaged or not written by Paddle"):
        read_paddle_file(tmp_path / "file")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"\x80\x04garbage",
        b"no pickle",
        pickle.dumps([1]),
        pickle.dumps({paddle_file._SLICES: 1}),
    ],
)
def test_damaged(tmp_path, content, peak_memory):
    (tmp_path / "file").write_bytes(content)
    with (
        peak_memory(at_most=1 << 20),
        pytest.raises(InputError, match="file: damaged or not written by Paddle") as caught,
    ):
        read_paddle_file(tmp_path / "file")
    assert "\n" not in str(caught.value)
    for path, message in ((tmp_path / "nothing", "nothing: no such file"), (tmp_path, "damaged or not")):
        with pytest.raises(InputError, match=message):
            read_paddle_file(path)


def test_every_cut_is_noticed(tmp_path):
    paddle.save(paddle.nn.Linear(2, 3).state_dict(), str(tmp_path / "file"))
    whole = (tmp_path / "file").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "file").write_bytes(whole[:length])
        with pytest.raises(InputError, match="damaged or not written by Paddle"):
            read_paddle_file(tmp_path / "file")
