"""Ids of captions: first and last token, cutting, and paddlenlp's tokenizer as the measure."""

import subprocess
import sys
import unicodedata

import numpy as np
import pytest

from inflate_shrink.data.text import CaptionTokenizer
from inflate_shrink.data.wordpiece import words
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


@pytest.mark.parametrize(
    "key, tokens", [("data.first_token", ("[GO]", "[SEP]")), ("data.last_token", ("[CLS]", "[GO]"))]
)
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
    settings = [
        (6, "[CLS]", "[SEP]"),
        (7, "[CLS]", "[SEP]"),
        (6, "[UNK]", "[SEP]"),
        (6, "[CLS]", ""),
        (6, "", "[CLS]"),
        (6, "", ""),
    ]
    keys = [CaptionTokenizer(vocab, *setting).key for setting in settings]
    vocab.write_text("\n".join([*TOKENS, "owl"]) + "\n")
    assert len({*keys, CaptionTokenizer(vocab, 6).key}) == len(settings) + 1
    assert not {*"/[]"} & {*"".join(keys)}


def test_what_is_cut(vocab):
    tokenizer = CaptionTokenizer(vocab, 6)
    assert (tokenizer.room, tokenizer.is_cut("a dogs."), tokenizer.is_cut("a dogs. a")) == (4, False, True)


def test_words_are_forgotten_and_found_again(vocab, monkeypatch):
    monkeypatch.setattr("inflate_shrink.data.text.KNOWN_WORDS", 1)
    tokenizer = CaptionTokenizer(vocab, 6)
    assert tokenizer.word_ids("a dog a dogs a") == [5, 6, 5, 6, 7, 5] and tokenizer._ids_of.cache_info().currsize == 1


NASTY = [
    "A dogs. [UNK]s dog[SEP]a  [sep] ",
    "[SEP] [MASK]a[PAD] [CLS [CLS] [[SEP]] [SEP]\ta [MASK]\u200b[SEP] 東[SEP]東 [S\0EP] [SEP]\u0301 [Sep]",
    "dog\ta \u2028dog\x1cs a\u00a0dog\u200bs\u200d a\r\ndogs\ufeff \x85a\x7fdog\0s \ufffd a\u3000dog \ue000a \U000e0001dog",
    "Été ÉTÉ. e\u0301te ΑΣ ΑΣ. ΑΣ[SEP] İstanbul STRASSE ẞ ﬁ Ǆ K Å",
    "東京dog 한국어 ひらがな \u3007 \uf900 \U00020000a a\U0002ceaf",
    "90° £5 m² 1º ½ µ Ø ŋ Ʊ a\u00addog ©dog™ 👍🏽dog 👨\u200d👩\u200d👧 ☃️ a·b «a» “dogs”",
    "##s # ##dog dog##s a--dog...!!! ~`^$a_dog",
    "a" * 100 + " " + "a" * 101 + " a" + " dog" * 40,
    "",
    " ",
    "\t\u2003\x1f",
    "\u0378a \U0010fffea",  # code points that Unicode has not assigned
]


@pytest.fixture(params=["few pieces", "every letter"])
def any_vocab(vocab, request):
    """A vocabulary in which most words are unknown, or one in which none is."""
    if request.param == "every letter":
        forms = (unicodedata.normalize(form, text.lower()) for text in NASTY for form in ("NFC", "NFD"))
        letters = sorted({letter for form in forms for letter in form if letter.isprintable() and letter != " "})
        pieces = dict.fromkeys([*TOKENS, *letters, *(f"##{letter}" for letter in letters)])
        vocab.write_text("\n".join([*pieces, ""]), encoding="utf-8")
    return vocab


@pytest.mark.slow
def test_ids_are_those_of_berts_tokenizer(any_vocab):
    from paddlenlp.transformers import BertTokenizer

    bert, ours = BertTokenizer(str(any_vocab)), CaptionTokenizer(any_vocab, 12)
    for caption, ids in zip(NASTY, ours(NASTY)):
        assert ours.word_ids(caption) == bert.convert_tokens_to_ids(bert.tokenize(caption)), caption
        expected = bert(caption, max_length=12, truncation=True)["input_ids"]
        np.testing.assert_array_equal(ids, expected + [0] * (12 - len(expected)), err_msg=caption)


@pytest.mark.slow
def test_every_character_is_read_as_bert_does(tmp_path):
    """Its category decides: control, space, Chinese, accent, punctuation, symbol or letter. Of the large blocks of one kind only the ends."""
    from paddlenlp.transformers import BertTokenizer

    ends = (
        0x3400,
        0x4DBF,
        0x4E00,
        0x9FFF,
        0xAC00,
        0xD7A3,
        0x20000,
        0x2A6DF,
        0x2A700,
        0x2B73F,
        0x2B740,
        0x2B81F,
        0x2B820,
        0x2CEAF,
        0x2F800,
        0x2FA1F,
    )
    near = {end + step for end in ends for step in (-1, 0, 1)}
    characters = [
        chr(code)
        for code in sorted(
            {*range(1, 0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x10000), *range(0x1F000, 0x1FB00), *near}
        )
    ]
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join([*TOKENS, "b", "##b", ""]), encoding="utf-8")
    bert, ours = BertTokenizer(str(path)), CaptionTokenizer(path, 12)
    expected = (bert.convert_tokens_to_ids(bert.tokenize(f"a{character}b")) for character in characters)
    assert not [
        hex(ord(character)) for character, ids in zip(characters, expected) if ours.word_ids(f"a{character}b") != ids
    ]


# Without a sigma: the tokenizer does not ask whether it ends a word.
@pytest.mark.slow
@pytest.mark.parametrize("caption", [text for text in NASTY if "Σ" not in text])
def test_words_are_those_of_berts_tokenizer(caption):
    from paddlenlp.transformers import BasicTokenizer

    assert words(caption) == BasicTokenizer(do_lower_case=True).tokenize(caption)
    assert words("ΑΣ") == ["ασ"]


def test_captions_are_read_without_paddlenlp(vocab):
    code = (
        "import sys\nfrom inflate_shrink.data.text import CaptionTokenizer\n"
        "CaptionTokenizer(sys.argv[1], 6)(['a dog'])\nprint({'paddle', 'paddlenlp'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(vocab)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr
