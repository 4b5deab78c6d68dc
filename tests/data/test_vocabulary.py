import pytest

from inflate_shrink.data.text import CaptionTokenizer
from inflate_shrink.data.vocabulary import build_vocabulary, cut_vocabulary, read_vocabulary
from inflate_shrink.errors import InputError

CAPTIONS = ["bb a bb", "cc a", "cc a dd"]  # a 3, bb and cc 2, dd 1
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CHARACTERS = ["a", "b", "c", "d", "##a", "##b", "##c", "##d"]

ALPHABETS = [
    "Un café crème, s'il vous plaît! Ça coûte 3,50 €.",
    "Żółta łódź – ß ø đ ı İ ﬁ ½",
    "Собака бежит по зелёной траве, йод.",
    "一只狗在草地上跑。𠀀𪜶",
    "犬が走る、カタカナ ｶﾞ",
    "\U0001f415\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1eb\U0001f1f7 ❤\ufe0f #1 @you",
    "كَلْبٌ يَرْكُضُ في الحديقةِ، ١٢٣؟",
    "कुत्ता दौड़ता है। 한국어 ไทย",
    "tabs\tand\u00a0spaces\u2003\u2028here\u0085there \ufffd \x07",
]


def test_order():
    assert build_vocabulary(CAPTIONS, str.split) == [*SPECIAL, *CHARACTERS, "bb", "cc"]
    assert build_vocabulary(CAPTIONS[::-1], str.split, least=1) == [*SPECIAL, *CHARACTERS, "bb", "cc", "dd"]
    assert build_vocabulary(CAPTIONS, str.split, least=3) == [*SPECIAL, *CHARACTERS]


@pytest.mark.parametrize("size, words", [(15, ["bb", "cc"]), (14, ["bb"]), (13, []), (3, [])])
def test_size(size, words):
    assert build_vocabulary(CAPTIONS, str.split, size=size) == [*SPECIAL, *CHARACTERS, *words]


def test_tokens_are_unique():
    tokens = build_vocabulary(["##a [UNK] a"] * 2, str.split)
    assert len(tokens) == len(set(tokens)) and tokens[:5] == SPECIAL


@pytest.mark.parametrize("captions", [[], ["  "]])
def test_no_words(captions):
    with pytest.raises(InputError, match="no words"):
        build_vocabulary(captions, str.split)


@pytest.mark.parametrize("size", [1, 30000])  # characters alone; every word
def test_bert_knows_every_word_of_the_captions(tmp_path, size):
    from paddlenlp.transformers import BasicTokenizer, BertTokenizer

    tokens = build_vocabulary(ALPHABETS, BasicTokenizer(do_lower_case=True).tokenize, least=1, size=size)
    assert ("собака" in tokens) == (size > 1)
    path = tmp_path / "vocab.txt"
    path.write_bytes("\n".join([*tokens, ""]).encode())
    assert read_vocabulary(path) == tokens
    assert CaptionTokenizer(path, 32).vocab_size == len(tokens)
    tokenizer = BertTokenizer(str(path))
    assert tokenizer.convert_tokens_to_ids(tokens) == list(range(len(tokens)))
    for caption in ALPHABETS:
        ids = tokenizer(caption)["input_ids"]
        assert len(ids) > 4 and tokens.index("[UNK]") not in ids, caption


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_read(tmp_path, ends):
    (tmp_path / "vocab.txt").write_bytes(ends.join([*SPECIAL, "a"]).encode())
    assert read_vocabulary(tmp_path / "vocab.txt") == [*SPECIAL, "a"]


@pytest.mark.parametrize(
    "tokens, message", [(["a"], r"missing: \[PAD\], \[UNK\]"), ([*SPECIAL[1:], "[PAD]"], r"\[PAD\] on line 1")]
)
def test_no_vocabulary(tmp_path, tokens, message):
    (tmp_path / "vocab.txt").write_text("\n".join(tokens))
    with pytest.raises(InputError, match=message):
        read_vocabulary(tmp_path / "vocab.txt")


def test_cut_vocabulary_keeps_what_captions_use_single_characters_and_their_order():
    vocabulary = ["[PAD]", "[unused0]", "[UNK]", "dog", "[CLS]", "##s", "##ging", "[SEP]", "z", "##z", "cats", "do"]
    pieces = {"dogs": {"dog", "##s"}, "cat": {"[UNK]"}}
    kept = cut_vocabulary(vocabulary, pieces, pieces.get)
    assert kept == ["[PAD]", "[UNK]", "dog", "[CLS]", "##s", "[SEP]", "z", "##z"]
