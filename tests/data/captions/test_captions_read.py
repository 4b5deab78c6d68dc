"""What holds for every format: sources, splits, the checks, and files that are no such file."""

import json
import os

import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.captions import (
    FORMATS,
    CaptionOptions,
    duplicate_captions,
    files,
    first_captions,
    read_captions,
)
from inflate_shrink.data.captions.records import Caption
from inflate_shrink.errors import InputError

ALL = list(FORMATS)
NAMED = [format for format in ALL if format not in ("scan", "released")]  # those whose files name the images
THREE = [("1.jpg", "A dog."), ("1.jpg", "A café."), ("2.jpg", "An owl.")]


def test_every_format_has_an_example(valid):
    assert ALL == list(valid) == ["flickr", "karpathy", "coco", "csv", "tsv", "jsonl", "json", "scan", "released"]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("format", NAMED)
def test_the_same_captions_in_every_format(read, valid, format, mark, ends):
    captions = read(format, mark + valid[format].replace("\n", ends).encode())
    assert [caption[:2] for caption in captions] == THREE
    assert [caption.split for caption in captions] == (
        ["train", "train", "test"] if format == "karpathy" else [None] * 3
    )
    assert len({caption.where for caption in captions}) == 3


@pytest.mark.parametrize("format", ALL)
def test_the_split_of_the_source_holds(read, valid, format):
    assert {caption.split for caption in read(format, valid[format], split="mine")} == {"mine"}


@pytest.mark.parametrize("format", ALL)
@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "empty file"),
        (b"\xef\xbb\xbf", ""),
        (b" \n\n", ""),
        (b"\xe9\n" * 5, "not UTF-8"),
        (b"\xff\xfea\x00", "not UTF-8"),
    ],
)
def test_no_such_file(rejected, format, content, message):
    rejected(format, content, "captions" if format in NAMED else "caps", message)


@pytest.mark.parametrize("format", ALL)
def test_line_of_the_first_byte_that_is_not_utf8(rejected, valid, format):
    content = valid[format].encode() + b"\xe9\n"
    place = f"byte {len(content) - 2}" if format in ("karpathy", "coco", "json") else f"line {content.count(10)}"
    rejected(format, content, f"{place}: not UTF-8")


@pytest.mark.parametrize("format", ALL)
def test_missing_file_and_directory(tmp_path, vocab, format):
    options, name = CaptionOptions(vocab=vocab), "x_caps.txt" + ".bt" * (format == "released")
    with pytest.raises(InputError, match=f"{name}: no such file"):
        read_captions([str(tmp_path / name)], format, BadRecords(), options)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder: (is a directory|holds none of train_caps.txt)"):
        read_captions([str(tmp_path / "folder")], format, BadRecords(), options)


def test_long_lines_and_large_files_do_not_fill_the_memory(rejected, monkeypatch):
    monkeypatch.setattr(files, "LONGEST_LINE", 20)
    monkeypatch.setattr(files, "LARGEST_JSON", 20)
    for format in ("flickr", "jsonl", "csv", "tsv"):
        rejected(format, "x" * 30, "line 1: more than the limit of 20 bytes a line")
    for format in ("coco", "karpathy"):
        rejected(format, "{" + " " * 30 + "}", "32 bytes, more than the limit of 20 of a JSON file")


def test_unknown_format_and_no_source():
    with pytest.raises(InputError, match="'xml': unknown, expected one of: flickr, karpathy, "):
        read_captions(["a"], "xml", BadRecords())
    with pytest.raises(InputError, match="no caption file given"):
        read_captions([], "csv", BadRecords())


def test_sources_with_equals_signs(tmp_path, monkeypatch, valid):
    monkeypatch.chdir(tmp_path)
    os.mkdir("a=b")
    for name in ("a=b/x=y.csv", "train=1.csv", "1.csv"):
        (tmp_path / name).write_text(valid["csv"], encoding="utf-8")

    def splits(*sources):
        return [caption.split for caption in read_captions(sources, "csv", BadRecords())[::3]]

    assert splits("train=1.csv", "a=b/x=y.csv") == [None, None]  # both exist
    assert splits("val=a=b/x=y.csv", "test=1.csv") == ["val", "test"]
    for source, message in {
        "a=c/x.csv": "^c/x.csv: no such file",
        str(tmp_path / "c=d.csv"): "c=d.csv: no such file",
        "=2.csv": "'=2.csv': expected PATH or SPLIT=PATH",
        "val=": "'val=': expected PATH or SPLIT=PATH",
        "x" * 5000: "cannot be read",
    }.items():
        with pytest.raises(InputError, match=message):
            splits(source)
    with pytest.raises(InputError, match="1.csv: given twice, as 'val=1.csv' and as './1.csv'"):
        splits("val=1.csv", "./1.csv")


@pytest.mark.parametrize(
    "text, clean",
    [
        ("  A\tdog.\n", "A dog."),
        ("A\r\ndog\x00\x07.\x85", "A dog ."),
        ("A\u2028dog", "A dog"),
        ("犬。 \U0001f415\u200d\U0001f9ba", "犬。 \U0001f415\u200d\U0001f9ba"),
    ],
)
def test_clean_text(read, text, clean):
    assert read("jsonl", json.dumps({"image": "1.jpg", "caption": text}))[0].text == clean


@pytest.mark.parametrize(
    "image", ["a b.jpg", "собака 犬.jpg", "train2014/1.jpg", "..jpg", "a..b.jpg", "1:2.jpg", "./1.jpg", "1"]
)
def test_good_image(read, image):
    assert read("jsonl", json.dumps({"image": image, "caption": "A dog."}))[0].image_id == image


OUTSIDE = ["/etc/passwd", "..", "../1.jpg", "a/../../1.jpg", "..\\1.jpg", "\\1.jpg", "C:\\1.jpg", "c:/1.jpg"]


@pytest.mark.parametrize(
    "change, message",
    [
        *[({"image": image}, "must not leave the image folder") for image in OUTSIDE],
        *[({"image": image}, "control character") for image in ("1\x00.jpg", "1\t.jpg", "1.jpg\n", "\x1b[31m.jpg")],
        ({"image": " "}, "the image is empty"),
        ({"image": "\ud800.jpg"}, "surrogate"),
        ({"caption": ""}, "the caption is empty"),
        ({"caption": " \t\x00"}, "the caption is empty"),
        ({"caption": "A \udcff dog"}, "surrogate"),
        ({"split": ""}, "the split is empty"),
        ({"split": "a\tb"}, "control character"),
        ({"split": "\ud800"}, "surrogate"),
    ],
)
def test_bad_record_of_any_format(bad_record, change, message):
    first, second, third = (
        {"image": f"{n}.jpg", "caption": text} for n, text in ((1, "A dog."), (2, "An owl."), (3, "A cat."))
    )
    lines = "\n".join(map(json.dumps, [first, {**second, **change}, third]))
    bad_record("jsonl", lines, "captions.jsonl: line 2", message, left=[("1.jpg", "A dog."), ("3.jpg", "A cat.")])


def test_nothing_usable(rejected):
    rejected("flickr", "1.jpg#0\t \n", "captions.flickr: no usable caption of the format 'flickr'", skip=True)


def test_bad_records_are_counted(tmp_path):
    (tmp_path / "x.token").write_text("1.jpg#0\tA dog.\nx\n1.jpg#1\t\n")
    bad = BadRecords(skip=True)
    assert len(read_captions([str(tmp_path / "x.token")], "flickr", bad)) == 1
    assert bad.count == 2


def test_first_captions_of_each_image():
    captions = [Caption(image, text, None, "") for image, text in ("aA", "bB", "aC", "aD", "bE")]
    assert [caption.text for caption in first_captions(captions, 2)] == ["A", "B", "C", "E"]
    assert [caption.text for caption in first_captions(captions, 1)] == ["A", "B"]


def test_twenty_bad_records_are_listed(capsys):
    bad = BadRecords(skip=True)
    for number in range(30):
        bad.report(f"record {number}")
    lines = capsys.readouterr().err.splitlines()
    assert bad.count == 30 and lines[19:] == [
        "skipped: record 19",
        "skipped: more than 20 records; the others are only counted",
    ]


def test_duplicate_captions():
    rows = [("1", "a"), ("1", "a"), ("2", "a"), ("1", "b"), ("1", "a")]
    assert duplicate_captions(Caption(image, text, None, "") for image, text in rows) == 2


@pytest.mark.parametrize("format", ["karpathy", "coco", "jsonl", "json"])
@pytest.mark.parametrize("value", [None, True, 1, 1.5, "", "x", [], [1], {}, {"a": 1}, ["\ud800"]])
def test_values_of_the_wrong_type_are_read_or_refused(read, valid, format, value):
    for text in valid[format].splitlines():
        for place in range(_count(json.loads(text))):
            for skip in (False, True):
                try:
                    read(format, json.dumps(_replaced(json.loads(text), place, value)), skip=skip)
                except InputError as error:
                    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "content", ["[" * 100000, '{"image":' * 100000, "9" * 5000, "NaN", '{"images": ' + "[" * 900 + "]" * 900 + "}"]
)
@pytest.mark.parametrize("format", ["karpathy", "coco", "jsonl", "json"])
def test_extreme_json(rejected, format, content):
    rejected(format, content, f"captions.{format}")


def _children(value):
    return list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []


def _count(value):
    return 1 + sum(_count(child) for _, child in _children(value))


def _replaced(value, place, new):
    """The JSON value with its place-th part, in depth-first order, replaced."""
    if place == 0:
        return new
    place -= 1
    for key, child in _children(value):
        if place < _count(child):
            value[key] = _replaced(child, place, new)
            break
        place -= _count(child)
    return value
