import os

import numpy as np
import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.region_files import FORMATS
from inflate_shrink.errors import InputError


def values(found):
    return {image_id: regions.features[0, 0] for image_id, regions in found.items()}


@pytest.mark.parametrize("layout", ["scan", "released"])
@pytest.mark.parametrize("rows, expected", [(3, [0, 1, 2]), (15, [0, 5, 10])])
def test_one_or_five_rows_an_image(tmp_path, read, write_rows, layout, rows, expected):
    array = write_rows(tmp_path, rows, layout)
    found, _ = read(layout, array)
    assert values(found) == dict(zip(["train-0", "train-1", "train-2"], expected))
    regions = found["train-1"]
    assert regions.features.shape == (2, 3) and regions.features.dtype == np.float32
    assert not regions.boxes.any() and regions.boxes.shape == (2, 4) and regions[2:5] == (0, 0, "")


def test_all_splits_of_a_folder(tmp_path, read, write_rows):
    write_rows(tmp_path, 1, split="test", images=1)
    write_rows(tmp_path, 5, split="dev", images=1)
    write_rows(tmp_path, 2, "released", split="other", images=2)
    assert list(read("scan", tmp_path)[0]) == ["dev-0", "test-0"]
    assert list(read("released", tmp_path)[0]) == ["other-0", "other-1"]


@pytest.mark.parametrize("dtype", ["<f2", "<f8", ">f4"])
def test_float_types(tmp_path, read, write_rows, dtype):
    assert list(values(read("scan", write_rows(tmp_path, 3, dtype=dtype))[0]).values()) == [0, 1, 2]


def test_captions_without_last_line_end(tmp_path, read, write_rows):
    array = write_rows(tmp_path, 3)
    (tmp_path / "train_caps.txt").write_text("x\n" * 14 + "x")
    assert len(read("scan", array)[0]) == 3


@pytest.mark.parametrize(
    "rows, captions, says",
    [
        (4, "x\n" * 15, ["has 4 rows", "3 images", "expected 3 or 15 rows"]),
        (3, "x\n" * 14, ["train_caps.txt: has 14 lines, expected 5 for every image"]),
        (3, "", ["train_caps.txt: has 0 lines"]),
        (3, None, ["train_caps.txt: cannot be read", "must lie beside the array"]),
    ],
)
def test_captions_that_do_not_fit(tmp_path, refused, write_rows, rows, captions, says):
    array = write_rows(tmp_path, rows)
    if captions is None:
        (tmp_path / "train_caps.txt").unlink()
    else:
        (tmp_path / "train_caps.txt").write_text(captions)
    refused("scan", array, says=[tmp_path, *says])


@pytest.mark.parametrize(
    "array, found",
    [
        (np.zeros((3, 4), np.float32), "float32 (3, 4)"),
        (np.zeros((3, 2, 3), np.int32), "int32"),
        (np.zeros((3, 2, 0), np.float32), "(3, 2, 0)"),
        (np.zeros((3, 2, 3), np.float32, order="F"), "Fortran"),
        (np.zeros((3, 2, 3), object), "object"),
    ],
)
def test_another_array(tmp_path, refused, write_rows, array, found):
    path = write_rows(tmp_path, 3)
    np.save(path, array)
    refused("scan", path, says=[f"{path}: expected rows of float16", found])


@pytest.mark.parametrize(
    "rows, bytes_lost, expected, missing",
    [(3, 25, [0], "rows 1 to 2"), (15, 1, [0, 5, 10], "rows 14 to 14"), (15, 240, [0], "rows 5 to 14")],
)
def test_truncated(tmp_path, read, refused, write_rows, capsys, rows, bytes_lost, expected, missing):
    array = write_rows(tmp_path, rows)
    os.truncate(array, array.stat().st_size - bytes_lost)
    refused("scan", array, says=[array, "its header promises", missing, "--skip-bad"])
    found, bad = read("scan", array, skip=True)
    assert list(values(found).values()) == expected and bad == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_longer_than_promised_or_no_header(tmp_path, refused, write_rows):
    array = write_rows(tmp_path, 3)
    array.write_bytes(array.read_bytes() + b"x")
    refused("scan", array, says=["its header promises 200 bytes, the file has 201"])
    os.truncate(array, 20)
    refused("scan", array, says=["not a readable .npy file"])


def test_bad_row(tmp_path, read, refused, write_rows):
    array = write_rows(tmp_path, 3)
    data = np.load(array)
    data[1, 0, 2] = np.inf
    np.save(array, data)
    refused("scan", array, says=[f"{array}: row 1: features contain NaN"])
    assert list(read("scan", array, skip=True)[0]) == ["train-0", "train-2"]


def test_paths(tmp_path, refused):
    refused("scan", tmp_path, says=["no file named {split}_ims.npy"])
    refused("released", tmp_path / "train.npy", says=["train.npy: expected a file named {split}_100featc32.npy"])
    refused("scan", tmp_path / "train_ims.npy", says=["train_caps.txt: cannot be read"])


def test_array_that_shrinks_while_it_is_read(tmp_path, write_rows):
    array = write_rows(tmp_path, 3)
    *_, last = FORMATS["scan"].items([array], BadRecords())
    os.truncate(array, 190)
    with pytest.raises(InputError, match="row 2: the file ends inside this row"):
        FORMATS["scan"].decode(last)
