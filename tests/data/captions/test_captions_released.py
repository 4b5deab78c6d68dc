import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.captions import CaptionOptions, read_captions

# 0 [PAD] 1 [UNK] 2 [SEP] 3 [CLS] 4 [MASK] 5 a 6 dog 7 ##s 8 été 9 .


@pytest.mark.parametrize(
    "line, text",
    [
        ("1 5 6 9", "a dog ."),
        ("3 5 6 7 9 2", "a dogs ."),
        ("5 6 2 0 0", "a dog"),
        ("1 5 1 6 2 9 0", "a [UNK] dog [SEP] ."),  # only at the ends
        ("7 7 6", "ss dog"),
        ("[3, 8, 6, 2]", "été dog"),
        ("8,6\r", "été dog"),
    ],
)
def test_text(read, line, text):
    captions = read("released", f"{line}\n" * 10)
    assert {caption.text for caption in captions} == {text}
    assert [caption.image_id for caption in captions] == ["train-0"] * 5 + ["train-1"] * 5


@pytest.mark.parametrize(
    "line, message",
    [
        ("5 10", "'10' is no id of"),
        ("5 -1", "'-1' is no id of"),
        ("5 1.0", "'1.0' is no id of"),
        ("a dog", "'a' is no id of"),
        ("5 1_0", "'1_0' is no id of"),
        ("5 ６", "'６' is no id of"),
        (f"5 {'9' * 5000}", "is no id of"),
        ("", "the caption is empty"),
        ("1 2 0", "the caption is empty"),
    ],
)
def test_bad_lines(bad_record, line, message):
    content = "1 5 6\n1 8 6\n" + line + "\n1 5 6\n1 8 6\n"
    left = [("dev-0", "a dog"), ("dev-0", "été dog")] * 2
    bad_record("released", content, "dev_caps.txt.bt: line 3: ", message, left=left, name="dev_caps.txt.bt")


def test_directory(tmp_path, vocab):
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}_caps.txt.bt").write_text("1 5 6\n" * 5)
    captions = read_captions([str(tmp_path)], "released", BadRecords(), CaptionOptions(vocab=vocab))
    assert [(caption.image_id, caption.split) for caption in captions[::5]] == [
        ("train-0", "train"),
        ("dev-0", "val"),
        ("test-0", "test"),
    ]


def test_vocabulary_is_needed(rejected, tmp_path):
    rejected("released", "1 5 6\n" * 5, "train_caps.txt.bt: holds WordPiece ids; say which vocabulary", vocab="")
    rejected("released", "1 5 6\n" * 5, "none.txt: no such vocabulary file", vocab=str(tmp_path / "none.txt"))
    rejected("released", "1 5 6\n" * 4, "train_caps.txt.bt: 4 lines, expected 5")


@pytest.mark.parametrize("content", [b"", b"[PAD]\n[UNK]\n[CLS]\n", b"\xff"])
def test_no_vocabulary(rejected, tmp_path, content):
    (tmp_path / "words.txt").write_bytes(content)
    rejected("released", "1 5 6\n" * 5, "words.txt: ", vocab=str(tmp_path / "words.txt"))
