"""Arrays are read as they were written; a damaged header is one line and costs no memory."""

import json
import resource
import signal

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.weight_files.safetensors_file import read_safetensors, write_safetensors


def write_raw(path, header, numbers, length=None):
    text = json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + numbers)


def test_round_trip(tmp_path):
    types = [
        "float64",
        "float32",
        "float16",
        "int64",
        "int32",
        "int16",
        "int8",
        "uint64",
        "uint32",
        "uint16",
        "uint8",
        "bool",
    ]
    arrays = {name: np.array([[0, 1, 7], [100, 3, 2]]).astype(name) for name in types}
    arrays |= {"scalar": np.array(3.5), "empty": np.zeros((0, 3), "float32")}
    write_safetensors(tmp_path / "file", arrays, {"step": "3"})
    found, metadata = read_safetensors(tmp_path / "file")
    assert found.keys() == arrays.keys() and metadata == {"step": "3"}
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape and (found[name] == array).all()


def test_bfloat16_is_widened(tmp_path):
    halves = (np.array([1, -2.5], "float32").view("uint32") >> 16).astype("uint16")
    write_raw(tmp_path / "file", {"a": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [0, 4]}}, halves.tobytes())
    found, metadata = read_safetensors(tmp_path / "file")
    assert found["a"].dtype == np.float32 and found["a"].tolist() == [[1], [-2.5]] and metadata == {}


def entry(shape, end, dtype="F32", start=0):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "header, length, message",
    [
        ({"a": entry([1 << 40], 4)}, None, "damaged or not a safetensors file"),
        ({"a": entry([1 << 62, 1 << 62], 4)}, None, "damaged or not a safetensors file"),
        ({"a": entry([1], 4), "b": entry([1], 4)}, None, "damaged or not a safetensors file"),
        ({"a": entry([2], 8)}, None, "damaged or not a safetensors file"),
        ({}, None, "damaged or not a safetensors file"),
        ({"a": entry([1], 4)}, 1 << 40, "damaged or not a safetensors file"),
        ({"a": entry([4], 4, "F8_E4M3")}, None, "'a' holds numbers of the type F8_E4M3"),
        ([], None, "damaged or not a safetensors file"),
    ],
)
def test_damaged_header(tmp_path, header, length, message, peak_memory):
    write_raw(tmp_path / "file", header, b"abcd", length)
    with peak_memory(at_most=1 << 20), pytest.raises(InputError, match=f"file: {message}") as caught:
        read_safetensors(tmp_path / "file")
    assert "\n" not in str(caught.value)


def test_metadata_that_is_null_is_none(tmp_path):
    write_raw(tmp_path / "file", {"__metadata__": None, "a": entry([1], 4)}, b"abcd", None)
    assert read_safetensors(tmp_path / "file")[1] == {}


def test_every_cut_is_noticed(tmp_path):
    write_safetensors(tmp_path / "file", {"a": np.ones(3)})
    whole = (tmp_path / "file").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "file").write_bytes(whole[:length])
        with pytest.raises(InputError, match="damaged or not a safetensors file"):
            read_safetensors(tmp_path / "file")


def test_file_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="nothing: no such file"):
        read_safetensors(tmp_path / "nothing")
    with pytest.raises(InputError, match="Is a directory"):
        read_safetensors(tmp_path)


def test_full_disk_is_an_oserror(tmp_path):
    """A limit of the file's size stands for the disk's."""
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            write_safetensors(tmp_path / "file", {"a": np.ones(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
