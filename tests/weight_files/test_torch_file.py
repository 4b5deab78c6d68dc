"""Both formats of torch.save are read, and nothing in a file can be made to run."""

import collections
import pickle
import zipfile

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.weight_files.pickles import Placeholder
from inflate_shrink.weight_files.torch_file import read_torch_file
from released_files import Call, Global, Storage, contiguous, save_legacy, save_zip, tensor

both_formats = pytest.mark.parametrize("save", [save_zip, save_legacy])


@both_formats
def test_dicts_lists_and_tensors(save, tmp_path):
    array = np.arange(6.0).reshape(2, 3)
    save(
        tmp_path / "file",
        {"model": [collections.OrderedDict(a=contiguous(array))], "epoch": 3, "ids": {1, 2}, "pair": (1.5, None)},
    )
    content = read_torch_file(tmp_path / "file")
    read = content["model"][0].pop("a")
    assert read.dtype == np.float32 and (read == array).all()
    assert content == {"model": [{}], "epoch": 3, "ids": {1, 2}, "pair": (1.5, None)}


@both_formats
@pytest.mark.parametrize(
    "kind, dtype",
    [
        ("FloatStorage", "float32"),
        ("DoubleStorage", "float64"),
        ("HalfStorage", "float16"),
        ("ByteStorage", "uint8"),
        ("CharStorage", "int8"),
        ("ShortStorage", "int16"),
        ("IntStorage", "int32"),
        ("LongStorage", "int64"),
        ("BoolStorage", "bool"),
    ],
)
def test_every_type_of_a_gpu(save, kind, dtype, tmp_path):
    values = np.array([0, 1, 7, 100]).astype(dtype)
    save(tmp_path / "file", tensor(Storage(kind, values, "cuda:0"), (4,), (1,)))
    read = read_torch_file(tmp_path / "file")
    assert read.dtype == dtype and (read == values).all()


@both_formats
def test_bfloat16_is_widened(save, tmp_path):
    values = np.array([1, -2.5, 3.140625, 1e30], "float32")  # the third needs all bits of a bfloat16
    halves = (values.view("uint32") >> 16).astype("uint16")
    save(tmp_path / "file", tensor(Storage("BFloat16Storage", halves), (2, 2), (1, 2)))
    read = read_torch_file(tmp_path / "file")
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, values.reshape(2, 2).T, rtol=2**-7)
    assert (read[:, 0] == [1, -2.5]).all() and read[0, 1] == 3.140625


@both_formats
def test_strides_offsets_and_shared_memory(save, tmp_path):
    storage = Storage("FloatStorage", np.arange(12, dtype="float32"))
    transposed, part = tensor(storage, (4, 3), (1, 4)), tensor(storage, (2, 2), (4, 2), offset=5)
    expanded, scalar = tensor(storage, (2, 3), (0, 0), offset=7), tensor(storage, (), (), offset=11)
    empty = tensor(Storage("FloatStorage", np.zeros(0, "float32")), (0, 3), (3, 1))
    parameter = Call("torch._utils", "_rebuild_parameter", transposed, True, collections.OrderedDict())
    save(tmp_path / "file", [transposed, part, expanded, scalar, empty, parameter])
    transposed, part, expanded, scalar, empty, parameter = read_torch_file(tmp_path / "file")
    assert (transposed == np.arange(12).reshape(3, 4).T).all()
    assert (part == [[5, 7], [9, 11]]).all()
    assert (expanded == np.full((2, 3), 7)).all()
    assert scalar.shape == () and scalar == 11
    assert empty.shape == (0, 3)
    assert (parameter == transposed).all() and np.shares_memory(transposed, part)


@both_formats
@pytest.mark.parametrize(
    "module, name", [("os", "system"), ("builtins", "eval"), ("subprocess", "check_call"), ("numpy", "save")]
)
def test_no_other_function_is_called(save, module, name, tmp_path):
    trap = tmp_path / "trap"
    call = {
        "os": f"touch {trap}",
        "builtins": f"open({str(trap)!r}, 'w')",
        "subprocess": ["touch", str(trap)],
        "numpy": str(trap),
    }[module]
    save(tmp_path / "file", {"model": [], "opt": Call(module, name, call)})
    content = read_torch_file(tmp_path / "file")
    assert isinstance(content["opt"], Placeholder)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


class Options:
    """Takes every way in which pickle fills an object: attributes, items, elements."""

    def __reduce__(self):
        return Options, (1,), {"lr": 1e-4}, iter([1, 2]), iter([("a", 1)])


@both_formats
def test_objects_of_other_classes_are_placeholders(save, tmp_path):
    save(tmp_path / "file", {"opt": Options(), "class": Options, "dtype": Global("torch", "float16"), "kept": 1})
    content = read_torch_file(tmp_path / "file")
    assert {key: value.name for key, value in content.items() if isinstance(value, Placeholder)} == {
        "opt": f"{__name__}.Options",
        "class": f"{__name__}.Options",
        "dtype": "torch.float16",
    }
    assert content["kept"] == 1


@both_formats
def test_truncated_file(save, tmp_path):
    save(tmp_path / "file", {"model": [{"a": contiguous(np.ones((30, 40)))}]})
    content = (tmp_path / "file").read_bytes()
    for length in (0, 3, 10, 100, 500, len(content) // 2, len(content) - 1):
        (tmp_path / "file").write_bytes(content[:length])
        with pytest.raises(InputError, match="file: truncated, or not a checkpoint"):
            read_torch_file(tmp_path / "file")


@both_formats
def test_tensor_beyond_its_storage(save, tmp_path):
    storage = Storage("FloatStorage", np.zeros(4, "float32"))
    for wrong in (
        tensor(storage, (5,), (1,)),
        tensor(storage, (2,), (4,)),
        tensor(storage, (2,), (1,), offset=3),
        tensor(storage, (2,), (-1,)),
    ):
        save(tmp_path / "file", wrong)
        with pytest.raises(InputError, match="truncated, or not a checkpoint"):
            read_torch_file(tmp_path / "file")


@both_formats
def test_expanded_tensor_that_would_fill_the_memory(save, tmp_path):
    save(tmp_path / "file", tensor(Storage("FloatStorage", np.zeros(4, "float32")), (1 << 30, 4), (0, 1)))
    with pytest.raises(
        InputError, match=r"file: truncated, or not a checkpoint .*a tensor \(1073741824, 4\) of only 4 numbers"
    ):
        read_torch_file(tmp_path / "file")


@both_formats
def test_storage_larger_than_the_file(save, tmp_path, peak_memory):
    save(tmp_path / "file", tensor(Storage("FloatStorage", np.zeros(4, "float32"), size=1 << 31), (4,), (1,)))
    with peak_memory(at_most=1 << 26), pytest.raises(InputError, match="file: truncated, or not a checkpoint .*bytes"):
        read_torch_file(tmp_path / "file")


def test_parts_that_grow_when_they_are_read(tmp_path, peak_memory):
    save_zip(tmp_path / "stored", tensor(Storage("FloatStorage", np.zeros(1 << 24, "float32")), (1 << 24,), (1,)))
    with (
        zipfile.ZipFile(tmp_path / "stored") as stored,
        zipfile.ZipFile(tmp_path / "file", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    with peak_memory(at_most=1 << 25), pytest.raises(InputError, match="its parts are compressed"):
        read_torch_file(tmp_path / "file")


def test_files_that_are_no_checkpoints(tmp_path):
    (tmp_path / "text").write_text("not a pickle\n")
    (tmp_path / "pickle").write_bytes(pickle.dumps({"model": []}))
    (tmp_path / "folder").mkdir()
    for name in ("text", "pickle", "folder"):
        with pytest.raises(InputError, match=f"{name}: truncated, or not a checkpoint"):
            read_torch_file(tmp_path / name)
    with pytest.raises(InputError, match="missing: no such checkpoint file"):
        read_torch_file(tmp_path / "missing")
