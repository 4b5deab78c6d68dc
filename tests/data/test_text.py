"""Ids of captions: first and last token, cutting, and paddlenlp's tokenizer as the measure."""

import numpy as np
import pytest

from inflate_shrink.data.text import CaptionTokenizer
from inflate_shrink.errors import InputError

#         0        1        2        3        4         5    6      7      8    9
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "##s", ".", "ete"]


@pytest.fixture
def vocab(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "first, last, caption, ids",
    [
        ("[CLS]", "[SEP]", "A dogs.", [2, 5, 6, 7, 8, 3]),
        ("[CLS]", "[SEP]", "a dog", [2, 5, 6, 3, 0, 0]),
        ("[CLS]", "[SEP]", "a a dogs a", [2, 5, 5, 6, 7, 3]),  # the last token stays when words are cut off
        ("[UNK]", "", "a a dogs a", [1, 5, 5, 6, 7, 5]),
        ("[UNK]", "", "a a dogs a dog", [1, 5, 5, 6, 7, 5]),
        ("", "[SEP]", "a dog. a dogs", [5, 6, 8, 5, 6, 3]),
        ("", "", "a owl [UNK] Été", [5, 1, 1, 9, 0, 0]),
        ("", "", "", [0, 0, 0, 0, 0, 0]),
        ("dog", ".", "a", [6, 5, 8, 0, 0, 0]),
    ],
)
def test_ids(vocab, first, last, caption, ids):
    tokenizer = CaptionTokenizer(vocab, 6, first, last)
    assert tokenizer([caption, caption]).tolist() == [ids, ids]
    assert tokenizer([]).shape == (0, 6)


def test_all_ids_of_the_words(vocab):
    assert CaptionTokenizer(vocab, 3).word_ids("a dogs. a dogs.") == [5, 6, 7, 8, 5, 6, 7, 8]


@pytest.mark.parametrize("key, tokens", [("data.first_token", ("[GO]", "[SEP]")), ("data.last_token", ("[CLS]", "[GO]"))])
def test_token_that_is_not_in_the_vocabulary(vocab, key, tokens):
    with pytest.raises(InputError) as caught:
        CaptionTokenizer(vocab, 6, *tokens)
    assert str(caught.value) == f"{key}: '[GO]' is not in {vocab}; name a token of that file, or none with ''"


def test_no_vocabulary(tmp_path):
    with pytest.raises(InputError, match="nowhere.txt: no such vocabulary file"):
        CaptionTokenizer(tmp_path / "nowhere.txt", 6)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        CaptionTokenizer(tmp_path, 6)


def test_key_names_all_that_the_ids_depend_on(vocab):
    settings = [(6, "[CLS]", "[SEP]"), (7, "[CLS]", "[SEP]"), (6, "[UNK]", "[SEP]"), (6, "[CLS]", ""), (6, "", "[CLS]"), (6, "", "")]
    keys = [CaptionTokenizer(vocab, *setting).key for setting in settings]
    vocab.write_text("\n".join([*TOKENS, "owl"]) + "\n")
    assert len({*keys, CaptionTokenizer(vocab, 6).key}) == len(settings) + 1
    assert not {*"/[]"} & {*"".join(keys)}


def test_ids_are_those_of_berts_tokenizer(vocab):
    from paddlenlp.transformers import BertTokenizer

    captions = ["A dogs. [UNK]s dog[SEP]a  [sep] ", "dog\ta \u2028dog\x1cs a\u00a0dog", "Été ÉTÉ. ΑΣ ΑΣ.", "東京dog 90° £5 ##s #", "a" * 101 + " a", " ", "[MASK]a[PAD] [CLS"]
    bert, ours = BertTokenizer(str(vocab)), CaptionTokenizer(vocab, 12)
    for caption, ids in zip(captions, ours(captions)):
        expected = bert(caption, max_length=12, truncation=True)["input_ids"]
        np.testing.assert_array_equal(ids, expected + [0] * (12 - len(expected)), err_msg=caption)
