"""A released caption file's ids become text, and the text becomes the same ids."""

import string
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from inflate_shrink.config import DataConfig, config_from_dict
from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.captions import CaptionOptions, read_captions
from inflate_shrink.data.text import CaptionTokenizer
from inflate_shrink.data.tokenized import open_training_data, tokenize_split
from inflate_shrink.data.vocabulary import read_vocabulary
from inflate_shrink.engine.checkpoint import new_model, open_checkpoint, write_checkpoint
from inflate_shrink.engine.steps import matching_checkpoint
from inflate_shrink.errors import InputError

BERT_VOCABULARY = Path(__file__).resolve().parents[3] / "shared" / "weights" / "bert_base_uncased_vocab.txt"
TOY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abc.,'-#[]",
    "ab",
    "ba",
    "abc",
    "cab",
    *(f"##{piece}" for piece in ("a", "b", "ab", "bc", "cba", "bcab")),
    "£",
    "##5",
]
LINES = 1500


@pytest.fixture(params=["toy", "bert"])
def vocab(request, tmp_path):
    if request.param == "toy":
        path = tmp_path / "vocab.txt"
        path.write_text("\n".join(TOY) + "\n", encoding="utf-8")
        return path
    if not BERT_VOCABULARY.is_file():
        pytest.skip("no vocabulary of bert-base-uncased beside the repository")
    return BERT_VOCABULARY


@pytest.fixture
def toy(tmp_path):
    path = tmp_path / "toy.txt"
    path.write_text("\n".join(TOY) + "\n", encoding="utf-8")
    return path


def captions_of(tmp_path, vocab, lines, bad=None):
    path = tmp_path / "test_caps.txt.bt"
    path.write_text("".join(" ".join(map(str, line)) + "\n" for line in lines))
    return [
        caption.text
        for caption in read_captions([str(path)], "released", bad or BadRecords(), CaptionOptions(vocab=str(vocab)))
    ]


def bert_ids(text, ids):
    """BERT's own tokenizer: lower case without accents, punctuation apart, then the longest piece first."""
    text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
    for mark in string.punctuation:
        text = text.replace(mark, f" {mark} ")
    found = []
    for word in text.split():
        pieces, start = [], 0
        while start < len(word) <= 100:
            end = next(
                (end for end in range(len(word), start, -1) if ("##" if start else "") + word[start:end] in ids), None
            )
            if end is None:
                break
            pieces.append(ids[("##" if start else "") + word[start:end]])
            start = end
        found += pieces if start == len(word) else [ids["[UNK]"]]
    return found


def random_text(random, words):
    """Words of the vocabulary, some run together, broken off, accented, unknown or far too long, between punctuation."""
    text = ""
    for _ in range(random.randint(1, 30)):
        word = "".join(words[random.randint(len(words))] for _ in range(random.choice([1, 1, 2, 3])))
        text += [
            word,
            word,
            word.title(),
            word[::-1],
            word[:1] + "\u0301" + word[1:],
            "\u2603",
            word * 60,
            word + random.choice([*string.punctuation]),
        ][random.randint(8)]
        text += random.choice([" ", " ", " ", ". ", "'", "-", " # ", " ["])
    return text


@pytest.mark.slow
def test_ids_to_text_to_ids(vocab, tmp_path, capsys):
    random = np.random.RandomState(0)
    words = read_vocabulary(vocab)
    ids = {word: number for number, word in enumerate(words)}
    whole = [word for word in words if word.isalnum() and word.isascii()]
    lines = [[ids["[UNK]"], *bert_ids(random_text(random, whole), ids)] for _ in range(LINES)]
    # Some fill all positions, others are cut.
    lines = [line[:32] if number % 5 == 0 else line for number, line in enumerate(lines)]
    assert min(map(len, lines)) > 1 and max(map(len, lines)) > 40 and sum(len(line) == 32 for line in lines) > 50
    assert (
        sum(ids["[UNK]"] in line[1:] for line in lines) > 100
        and sum(words[number].startswith("##") for line in lines for number in line) > LINES
    )

    found = CaptionTokenizer(vocab, 32, "[UNK]", "")(captions_of(tmp_path, vocab, lines))
    assert all(row[: len(line)].tolist() == line[:32] and not row[len(line) :].any() for row, line in zip(found, lines))
    assert "other ids" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "first, last, lines, texts, ends",
    [
        ("[UNK]", "", [[1, 5, 6], [1, 1, 6]], ["a b", "[UNK] b"], "first token [UNK], last token none"),
        ("[CLS]", "[SEP]", [[2, 5, 3, 0], [2, 1, 6, 3]], ["a", "[UNK] b"], "first token [CLS], last token [SEP]"),
        ("", "", [[5, 6], [1, 6]], ["a b", "[UNK] b"], "first token none, last token none"),
    ],
)
def test_first_and_last_token(first, last, lines, texts, ends, toy, tmp_path, capsys):
    captions = captions_of(tmp_path, toy, lines * 5)
    assert captions == texts * 5
    assert (
        capsys.readouterr().out
        == f"{tmp_path / 'test_caps.txt.bt'}: {ends}; tools/convert_released.py must be given the same\n"
    )
    assert CaptionTokenizer(toy, 4, first, last)(texts).tolist() == [line + [0] * (4 - len(line)) for line in lines]


@pytest.mark.parametrize(
    "line, found",
    [
        ([5, 6], "first token none, last token none"),
        ([1, 5, 3], "first token [UNK], last token [SEP]"),
        ([2, 5], "first token [CLS], last token none"),
    ],
)
def test_lines_are_alike(line, found, toy, tmp_path, capsys):
    lines = [[1, 5], [1, 6], line, [1, 7], [1, 8]]
    message = f"test_caps.txt.bt: line 3: {found}, but the captions before have first token [UNK], last token none; all must be alike"
    with pytest.raises(InputError) as caught:
        captions_of(tmp_path, toy, lines)
    assert message in str(caught.value)
    assert captions_of(tmp_path, toy, lines, BadRecords(skip=True)) == ["a", "b", "c", "."]
    assert message in capsys.readouterr().err


def test_captions_that_no_text_gives_are_counted(toy, tmp_path, capsys):
    pound, five, a_b = TOY.index("£"), TOY.index("##5"), [TOY.index("a"), TOY.index("##b")]
    assert captions_of(tmp_path, toy, [[1, 5], [1, pound, five], [1, *a_b], [1, 6], [1, 7]]) == [
        "a",
        "£5",
        "ab",
        "b",
        "c",
    ]
    assert (
        ": 2 of 5 captions are cut into other ids than the file's, the first at " in (out := capsys.readouterr().out)
        and "line 2; they are kept\n" in out
    )


@pytest.fixture
def written(tiny_data, tmp_path):
    """A function: the data config's values -> the directory of a checkpoint of a tiny model with the data set's vocabulary."""

    def write(**data):
        config = config_from_dict({"data": data, "model": {"hidden": 4, "heads": 1, "layers": 1, "ffn": 4}}, "test")
        vocabulary = (tiny_data / "vocab.txt").read_bytes()
        write_checkpoint(
            tmp_path / "checkpoint", new_model(config, vocabulary.count(b"\n"), 128), config, vocabulary, {}
        )
        return tmp_path / "checkpoint"

    return write


def test_config_says_what_stands_around_a_caption(own_data, written):
    usual = open_training_data(DataConfig(dir=str(own_data)), 8)
    data = open_training_data(DataConfig(dir=str(own_data), first_token="[UNK]", last_token=""), 8)
    tokenizer = open_checkpoint(written(first_token="[UNK]", last_token="")).tokenizer()
    unknown = read_vocabulary(own_data / "vocab.txt").index("[UNK]")
    expected = [[unknown, *row[row > 0][1:-1]] for row in usual.val.ids]
    for ids in (data.val.ids, tokenize_split(data.store, "val", tokenizer).ids):
        assert [list(row[row > 0]) for row in ids] == expected


@pytest.mark.parametrize("wrong", [{"first_token": "[UNK]"}, {"last_token": ""}])
def test_teacher_with_other_tokens_is_refused(tiny_data, written, wrong):
    data = open_training_data(DataConfig(dir=str(tiny_data)), 8)
    (key, value), checkpoint = *wrong.items(), written(**wrong)
    with pytest.raises(
        InputError,
        match=f"distill.teacher: the data.{key} of .*checkpoint is '{value}', the data's is".replace("[", r"\["),
    ):
        matching_checkpoint(str(checkpoint), data, "distill.teacher")
