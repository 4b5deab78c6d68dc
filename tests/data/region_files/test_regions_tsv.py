import numpy as np
import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.region_files import FORMATS, checks, tsv_lines
from inflate_shrink.errors import InputError


@pytest.fixture
def write(tmp_path):
    def _write(*lines, name="part.tsv", end=b"\n"):
        (tmp_path / name).write_bytes(b"".join(line + end for line in lines))
        return tmp_path / name

    return _write


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_parts_in_order(read, write, tsv_line, end):
    parts = [
        write(tsv_line(7, 1), tsv_line("a/b", 2, 5), name="x.tsv.1", end=end),
        write(b"", tsv_line(9, 1), name="x.tsv.2", end=end),
    ]
    found, bad = read("tsv", *parts)
    assert list(found) == ["7", "a/b", "9"] and bad == 0
    regions = found["a/b"]
    assert regions.features.dtype == regions.boxes.dtype == np.float32
    assert regions.features.tolist() == [[5, 6, 7], [8, 9, 10]]
    assert regions.boxes.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert regions[2:5] == (640, 480, "")
    regions.features[0] = 0  # not read-only


def test_last_line_without_line_end_is_read(read, write, tsv_line):
    assert len(read("tsv", write(tsv_line(1, 1), end=b""))[0]) == 1


BAD = {
    "too few fields": (
        lambda line: line("bad", 1).rpartition(b"\t")[0],
        "expected 6 tab-separated fields (image_id image_w",
    ),
    "too many fields": (lambda line: line("bad", 1) + b"\t1", "found 7"),
    "base64": (lambda line: line("bad", 1, features=b"@@@@"), "features is not valid base64"),
    "base64 length": (lambda line: line("bad", 1, boxes=b"AAA"), "boxes is not valid base64"),
    "boxes of another count": (
        lambda line: line("bad", 2, count=b"1"),
        "boxes holds 32 bytes, expected 16 for 1 boxes",
    ),
    "features of another count": (
        lambda line: line("bad", 2, features=b"AAAA" * 5),
        "features holds 15 bytes, expected a multiple of 8",
    ),
    "no features": (lambda line: line("bad", 1, features=b""), "features holds 0 bytes"),
    "NaN": (lambda line: line("bad", 1, features=b"AADAfwAAwH8="), "features contain NaN"),
    "infinite box": (lambda line: line("bad", 1, boxes=b"AACAfwAAgH8AAIB/AACAfw=="), "boxes contain NaN, infinity"),
    "no boxes": (lambda line: line("bad", 0), "num_boxes to be a whole number above 0, found '0'"),
    "count": (lambda line: line("bad", 1, count=b"1e3"), "num_boxes"),
    "endless count": (lambda line: line("bad", 1, count=b"9" * 5000), "num_boxes"),
    "width": (lambda line: line("bad", 1, width=b"640.0"), "image_w to be a whole number above 0, found '640.0'"),
    "height": (lambda line: line("bad", 1, height=b"-1"), "image_h"),
    "id": (lambda line: line("../bad", 1), "'../bad' cannot be used"),
    "id not UTF-8": (lambda line: line("bad", 1, id=b"\xff"), "cannot be used"),
    "no id": (lambda line: line("", 1), "cannot be used"),
}


@pytest.mark.parametrize("make, says", BAD.values(), ids=BAD)
def test_bad_line(read, refused, write, tsv_line, capsys, make, says):
    path = write(tsv_line(1, 2), make(tsv_line), tsv_line(3, 1))
    refused("tsv", path, says=[f"{path}: line 2: ", says, "--skip-bad"])
    found, bad = read("tsv", path, skip=True)
    assert list(found) == ["1", "3"] and bad == 1
    error = capsys.readouterr().err
    assert error.startswith(f"skipped: {path}: line 2: ") and error.count("\n") == 1


@pytest.mark.parametrize("cut, says", [(3, "features is not valid base64"), (30, "expected 6"), (-1, "image_id")])
def test_truncated(read, refused, write, tsv_line, cut, says):
    path = write(tsv_line(1, 2), tsv_line(2, 2))
    size = len(tsv_line(1, 2)) + 1
    path.write_bytes(path.read_bytes()[: size + 1 if cut < 0 else -cut * 2])
    refused("tsv", path, says=[f"{path}: line 2", says, "cut short: copy or download it again"])
    assert list(read("tsv", path, skip=True)[0]) == ["1"]


@pytest.mark.parametrize(
    "data, says", [(b"PK\x03\x04..", "a zip archive; unpack it"), (b"\x1f\x8b..", "gzip"), (None, "cannot be read")]
)
def test_not_a_tsv_stops_before_the_first_item(tmp_path, write, tsv_line, data, says):
    if data:
        (tmp_path / "second").write_bytes(data)
    with pytest.raises(InputError, match=says):
        next(FORMATS["tsv"].items([write(tsv_line(1, 1)), tmp_path / "second"], BadRecords(skip=True)))


def test_folder_and_empty_file(tmp_path, refused, write):
    refused("tsv", tmp_path, says=[tmp_path, "give the TSV files themselves"])
    refused("tsv", write(), says=["part.tsv: empty file"])


@pytest.mark.parametrize(
    "count, says",
    [
        (2049, "boxes: 2049 boxes, more than the limit of 2048 an image"),
        (60_000, "boxes: 60000 boxes, more than the limit of 2048"),
        (999_999_999, "boxes: 999999999 boxes, more than the limit of 2048"),
    ],
)
def test_many_boxes_do_not_fill_the_memory(read, refused, write, tsv_line, count, says):
    lines = write(tsv_line(1, 1), tsv_line(2, min(count, 60_000), count=str(count).encode()), tsv_line(3, 1))
    refused("tsv", lines, says=["part.tsv: line 2: ", says])
    found, bad = read("tsv", lines, skip=True)
    assert list(found) == ["1", "3"] and bad == 1


def test_many_numbers_a_box_do_not_fill_the_memory(refused, write, tsv_line, monkeypatch):
    monkeypatch.setattr(checks, "MOST_NUMBERS", 11)  # 2 boxes have 8 numbers, 6 features
    refused("tsv", write(tsv_line(1, 4)), says=["boxes: 16 numbers, more than the limit of 11 an image"])
    refused(
        "tsv",
        write(tsv_line(1, 2, features=tsv_line(1, 4).split(b"\t")[5])),
        says=["features: 12 numbers, more than the limit of 11 an image"],
    )


def test_line_without_end_does_not_fill_the_memory(read, write, tsv_line, monkeypatch):
    monkeypatch.setattr(tsv_lines, "LONGEST", 1000)
    found, bad = read("tsv", write(b"\t" * 5500, tsv_line(2, 1)), skip=True)
    assert list(found) == ["2"] and bad == 1
