"""Opening a data set for training: its captions as ids, kept for the next time."""

import os
import shutil

import numpy as np
import pytest

from inflate_shrink.config import DataConfig
from inflate_shrink.data.store import open_store
from inflate_shrink.data.text import CaptionTokenizer
from inflate_shrink.data.tokenized import open_training_data, tokenize_split
from inflate_shrink.errors import InputError


class CountingTokenizer(CaptionTokenizer):
    calls = 0

    def __call__(self, captions):
        self.calls += 1
        return super().__call__(captions)


def tokenizer(directory, length=16):
    return CountingTokenizer(directory / "vocab.txt", length)


def test_open(tiny_data):
    data = open_training_data(DataConfig(dir=str(tiny_data)), batch_size=120)
    assert data.train.ids.shape == (120, 32) and data.val.ids.shape == (40, 32)
    assert data.region_dim == 128
    words = (tiny_data / "vocab.txt").read_text().splitlines()
    row = [words[i] for i in data.train.ids[0] if i]
    assert (row[0], row[-1]) == ("[CLS]", "[SEP]") and "".join(row[1:-1]).replace(
        "##", ""
    ) == data.train.split.captions[0].lower().replace(" ", "")


def test_batch_larger_than_the_split(tiny_data):
    with pytest.raises(InputError, match=r"split 'train' has 120 captions, fewer than optim.batch_size \(121\)"):
        open_training_data(DataConfig(dir=str(tiny_data)), batch_size=121)


@pytest.mark.parametrize("key", ["train_split", "val_split"])
def test_split_without_captions(tiny_data, key):
    with pytest.raises(InputError, match="no caption of split 'nothing'"):
        open_training_data(DataConfig(dir=str(tiny_data), **{key: "nothing"}), batch_size=8)


def test_ids_are_made_once(own_data):
    store = open_store(own_data)
    first, second = tokenizer(own_data), tokenizer(own_data)
    made, read = tokenize_split(store, "val", first), tokenize_split(store, "val", second)
    assert (first.calls, second.calls) == (1, 0)
    np.testing.assert_array_equal(made.ids, read.ids)
    assert read.ids.dtype == np.int64


def test_ids_of_another_vocabulary_length_or_captions_are_not_used(own_data):
    tokenize_split(open_store(own_data), "val", tokenizer(own_data))

    longer = tokenizer(own_data, length=17)
    assert tokenize_split(open_store(own_data), "val", longer).ids.shape == (40, 17) and longer.calls == 1

    (own_data / "files.json").unlink()
    words = (own_data / "vocab.txt").read_text().splitlines()
    words[-1], words[-2] = words[-2], words[-1]
    (own_data / "vocab.txt").write_text("\n".join(words) + "\n")
    swapped = tokenizer(own_data)
    tokenize_split(open_store(own_data), "val", swapped)
    assert swapped.calls == 1

    captions = (own_data / "captions.tsv").read_text()
    (own_data / "captions.tsv").write_text(captions.replace(" red ", " blue "))
    changed = tokenizer(own_data)
    tokenize_split(open_store(own_data), "val", changed)
    assert changed.calls == 1


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "missing"])
def test_damaged_ids_are_made_again(own_data, damage):
    expected = tokenize_split(open_store(own_data), "val", tokenizer(own_data)).ids
    path = next((own_data / ".ids").glob(f"val-*-{tokenizer(own_data).key}/ids.npy"))
    whole = path.read_bytes()
    path.write_bytes(
        {
            "flipped": whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
            "cut": whole[:-9],
            "empty": b"",
            "missing": b"",
        }[damage]
    )
    if damage == "missing":
        path.unlink()
    made, read = tokenizer(own_data), tokenizer(own_data)
    for counting, calls in ((made, 1), (read, 0)):
        np.testing.assert_array_equal(tokenize_split(open_store(own_data), "val", counting).ids, expected)
        assert counting.calls == calls


def test_data_that_cannot_be_written(own_data):
    expected = tokenize_split(open_store(own_data), "val", tokenizer(own_data)).ids
    shutil.rmtree(own_data / ".ids")
    (own_data / ".ids").write_text("")  # not even root can make a file below this
    before = sorted(os.listdir(own_data))
    np.testing.assert_array_equal(tokenize_split(open_store(own_data), "val", tokenizer(own_data)).ids, expected)
    assert sorted(os.listdir(own_data)) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_directory(own_data):
    shutil.rmtree(own_data / ".ids")
    own_data.chmod(0o555)
    try:
        assert tokenize_split(open_store(own_data), "val", tokenizer(own_data)).ids.shape == (40, 16)
        assert not (own_data / ".ids").exists()
    finally:
        own_data.chmod(0o755)
