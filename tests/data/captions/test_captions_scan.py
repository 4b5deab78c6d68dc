import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.captions import read_captions
from inflate_shrink.errors import InputError


def lines(number):
    return "".join(f"Dog {i} \u2028 \u00e9.\n" for i in range(number))


def test_five_lines_an_image(read):
    captions = read("scan", lines(10), name="dev_caps.txt")
    assert [caption.image_id for caption in captions] == ["dev-0"] * 5 + ["dev-1"] * 5
    assert captions[5][1:3] == ("Dog 5   é.", "val")
    assert captions[5].where.endswith("dev_caps.txt: line 6")


def test_directory(tmp_path):
    for name in ("train", "dev", "testall", "other"):
        (tmp_path / f"{name}_caps.txt").write_text(lines(5), encoding="utf-8")
    captions = read_captions([str(tmp_path)], "scan", BadRecords())
    assert [(caption.image_id, caption.split) for caption in captions[::5]] == [
        ("train-0", "train"),
        ("dev-0", "val"),
        ("testall-0", "testall"),
    ]


@pytest.mark.parametrize("number", [1, 9, 11])
def test_not_a_multiple_of_five(rejected, number):
    rejected("scan", lines(number), f"train_caps.txt: {number} lines, expected 5 captions an image", skip=True)


def test_an_empty_line_keeps_its_place(bad_record):
    left = [(f"train-{i // 5}", f"Dog {i}.") for i in (0, 1, 3, 4, 5, 6, 7, 8, 9)]
    content = "".join(f"Dog {i}.\n" if i != 2 else "\n" for i in range(10))
    bad_record("scan", content, "train_caps.txt: line 3: the caption is empty", left=left)


@pytest.mark.parametrize("name", ["captions.txt", "_caps.txt", "train_caps.txt.bt"])
def test_file_that_names_no_split(rejected, name):
    rejected("scan", lines(5), f"{name}: expected a directory or a file named SPLIT_caps.txt", name=name)


def test_directory_without_captions(tmp_path):
    with pytest.raises(InputError, match="holds none of train_caps.txt, dev_caps.txt, test_caps.txt, testall_caps.txt"):
        read_captions([str(tmp_path)], "scan", BadRecords())
