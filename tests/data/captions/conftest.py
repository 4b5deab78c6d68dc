"""A small file of every caption format, and the two ways to read one."""

import json

import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.captions import CaptionOptions, read_captions
from inflate_shrink.errors import InputError

# [CLS] is 3 here, not 101: the ids of the special tokens are the vocabulary's own
TOKENS = ["[PAD]", "[UNK]", "[SEP]", "[CLS]", "[MASK]", "a", "dog", "##s", "été", "."]

VALID = {
    "flickr": "1.jpg#0\tA dog.\n1.jpg#1\tA café.\n2.jpg#0\tAn owl.\n",
    "karpathy": json.dumps(
        {
            "images": [
                {
                    "filename": "1.jpg",
                    "split": "restval",
                    "sentences": [{"raw": "A dog.", "tokens": ["a", "dog"]}, {"raw": "A café."}],
                },
                {"filename": "2.jpg", "split": "test", "sentences": [{"raw": "An owl."}]},
            ],
            "dataset": "mine",
        }
    ),
    "coco": json.dumps(
        {
            "images": [{"id": 7, "file_name": "1.jpg"}, {"id": 9, "file_name": "2.jpg"}],
            "annotations": [
                {"id": 1, "image_id": 7, "caption": "A dog."},
                {"id": 2, "image_id": 7, "caption": "A café."},
                {"id": 3, "image_id": 9, "caption": "An owl."},
            ],
        }
    ),
    "csv": 'image,caption\n1.jpg,A dog.\n1.jpg,"A café."\n2.jpg,An owl.\n',
    "tsv": "image\tcaption\n1.jpg\tA dog.\n1.jpg\tA café.\n2.jpg\tAn owl.\n",
    "jsonl": '{"image": "1.jpg", "captions": ["A dog.", "A café."]}\n{"image": "2.jpg", "caption": "An owl.", "split": null}\n',
    "json": json.dumps(
        [{"image": "1.jpg", "captions": ["A dog.", "A café."], "split": None}, {"image": "2.jpg", "caption": "An owl."}]
    ),
    "scan": "".join(f"A dog {i}.\n" for i in range(10)),
    "released": "".join(f"1 5 {6 + i % 3} 9\n" for i in range(10)),
}
NAMES = {"scan": "train_caps.txt", "released": "train_caps.txt.bt"}


@pytest.fixture
def vocab(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def read(tmp_path, vocab):
    """A function: format, content (text or bytes), options -> captions; ``skip`` goes on after bad records."""

    def read(format, content, skip=False, name=None, split="", **options):
        path = tmp_path / (name or NAMES.get(format, f"captions.{format}"))
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        options.setdefault("vocab", vocab)
        return read_captions(
            [f"{split}={path}" if split else str(path)], format, BadRecords(skip), CaptionOptions(**options)
        )

    return read


@pytest.fixture
def rejected(read):
    """A function: the content is refused in one line that holds all the parts."""

    def rejected(format, content, *parts, **options):
        with pytest.raises(InputError) as caught:
            read(format, content, **options)
        message = str(caught.value)
        assert "\n" not in message
        for part in parts:
            assert str(part) in message, message

    return rejected


@pytest.fixture
def bad_record(read, rejected, capsys):
    """A function: the content is refused, or without its bad records read as ``left``: (image, text) pairs."""

    def bad_record(format, content, *parts, left, **options):
        rejected(format, content, *parts, "--skip-bad", **options)
        capsys.readouterr()
        assert [caption[:2] for caption in read(format, content, skip=True, **options)] == left
        skipped = capsys.readouterr().err
        assert "skipped: " in skipped
        for part in parts:
            assert str(part) in skipped

    return bad_record


@pytest.fixture
def valid():
    """Format -> the content of a valid file."""
    return VALID
