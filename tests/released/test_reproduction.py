"""docs/reproduction.md from the authors' files to recalls, on small files of their layout, against a NumPy float64 evaluation."""

import json
import runpy
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import reference

from inflate_shrink.cli import run_tool
from inflate_shrink.published import published_table
from released_files import released_shapes, save_released

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
IMAGES, TRAIN_IMAGES, REGION_DIM, HIDDEN, FFN, CODES = 1003, 4, 16, 64, 32, 2
UNK, CLS, SEP = 100, 101, 102  # as in bert-base-uncased
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]
CONCEPTS = [a + b for a in SYLLABLES[:15] for b in SYLLABLES]
PIECES = ["##s", "##ing", ".", ",", "'", "-", "["]
VOCABULARY = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CONCEPTS, *PIECES]
FIRST_CONCEPT, FIRST_PIECE = VOCABULARY.index(CONCEPTS[0]), VOCABULARY.index(PIECES[0])

BERTS = {"base": 1, "fast": 1, "inflate": 1, "shrinktobase": 2, "shrinktofast": 3}  # in a file of this mode
MODELS = [  # mode, part, the BERT that runs, codes, only the first fragment, regions of an image (fewer than 32 where all are scored, for speed)
    ("base", "student", "encoder", False, False, 2),
    ("fast", "student", "encoder", False, True, 32),
    ("inflate", "student", "encoder", True, False, 2),
    ("shrinktobase", "teacher", "encoder", True, False, 2),
    ("shrinktobase", "student", "encoder2", False, False, 2),
    ("shrinktofast", "teacher", "encoder2", False, False, 2),
    ("shrinktofast", "student", "encoder3", False, True, 32),
]


@lru_cache(None)
def concepts():
    """(words, REGION_DIM) what a region that shows the word looks like."""
    return np.random.RandomState(1).normal(size=(len(VOCABULARY), REGION_DIM))


@lru_cache(None)
def parameter(name, shape):
    """The parameter of this name, the same in all files. A word's embedding resembles its projected region, so that recalls are not chance."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if name == "encoder.embeddings.word_embeddings.weight":
        return (
            0.3 * concepts() @ parameter("fc.weight", (HIDDEN, REGION_DIM)).T + random.normal(0, 0.1, shape)
        ).astype("float32")
    scale = 1 if name.startswith("poly_code") else 0.3 if name == "fc.weight" or ".value.weight" in name else 0.1
    values = random.normal(0, scale, shape).astype("float32")
    return 1 + values if name.endswith(("LayerNorm.weight", "norm.weight")) else values


def released_weights(mode):
    berts = ["encoder", "encoder2", "encoder3"][: BERTS[mode]]
    codes = CODES if mode in ("inflate", "shrinktobase") else 0
    shapes = released_shapes(berts, codes, HIDDEN, FFN, 12, len(VOCABULARY), REGION_DIM)
    return {name: parameter(name, shape) for name, shape in shapes.items()}


@lru_cache(None)
def files(regions):
    """Split -> lines of ids and region features of a row for each image, of images that show two concepts each."""
    made, random = {}, np.random.RandomState(2)
    for split, images in (("test", IMAGES), ("train", TRAIN_IMAGES)):
        shown = random.randint(FIRST_CONCEPT, FIRST_PIECE, (images, 2))
        lines = [caption(random, words) for words in shown for _ in range(5)]
        features = concepts()[shown[:, np.arange(regions) % 2]] + random.normal(0, 0.5, (images, regions, REGION_DIM))
        made[split] = lines, features.astype("float32")
    return made


def caption(random, shown):
    """Ids after an [UNK]: words of the image and others, each maybe with an ending, a comma or an unknown word after it; up to 45."""
    ids = [UNK]
    for number in range(random.randint(2, 20)):
        ids.append(random.choice(shown) if random.rand() < 0.7 else random.randint(FIRST_CONCEPT, FIRST_PIECE))
        ids += [[], [], [FIRST_PIECE], [FIRST_PIECE + 1], [FIRST_PIECE + 3], [UNK]][random.randint(6)]
    return [*ids, FIRST_PIECE + 2]


def padded(lines, first=UNK, last=()):
    """(captions, 32) ids of lines that begin with one token and get others after the last word that fits."""
    ids = np.zeros((len(lines), 32), "int64")
    for row, line in zip(ids, lines):
        line = [first, *line[1 : 32 - len(last)], *last]
        row[: len(line)] = line
    return ids


def run(tool, *arguments):
    """The tool's command line, in this process: starting Paddle sixteen times would take minutes."""
    run_tool(runpy.run_path(str(ROOT / "tools" / f"{tool}.py"))["main"], [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def vocab(tmp_path_factory):
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(VOCABULARY) + "\n")
    return path


@pytest.fixture(scope="module")
def data(vocab, tmp_path_factory):
    """A function: number of regions -> data set made of the files, with a row for each image in train and for each caption in test."""

    @lru_cache(None)
    def make(regions):
        folder = tmp_path_factory.mktemp("released")
        for split, (lines, features) in files(regions).items():
            (folder / f"{split}_caps.txt.bt").write_text("".join(" ".join(map(str, line)) + "\n" for line in lines))
            np.save(folder / f"{split}_100featc32.npy", features if split == "train" else features.repeat(5, 0))
        out = folder / "data"
        run("prepare_data", "--captions", folder, "--format", "released", "--regions", folder, "--regions-format", "released",
            "--vocab", vocab, "--dtype", "float32", "--clusters", regions, "--workers", 1, "--out", out)  # fmt: skip
        return out

    return make


@lru_cache(None)
def weights():
    """All that the models of the biggest files have, in float64."""
    return {
        name: value.astype("float64")
        for name, value in {**released_weights("shrinktofast"), **released_weights("inflate")}.items()
    }


@lru_cache(1)
def expected_text(stack, codes, first, last):
    """Fragments of the first 5,000 captions, which are the same for any number of regions."""
    return reference.text_fragments(weights(), stack, padded(files(2)["test"][0][:5000], first, last), codes)


@lru_cache(None)
def expected(stack, codes, only_first, regions, first=UNK, last=()):
    """Recalls of a model of the biggest file on the first 1,000 test images: t2i, i2t."""
    features = files(regions)["test"][1]
    text = expected_text(stack, codes, first, last)
    image = reference.image_fragments(weights(), stack, features[:1000].astype("float64"), codes)
    return reference.recalls(reference.score(text[:, :1], image[:, :1]) if only_first else reference.score(text, image))


def evaluated(mode, part, vocab, data, folder, *arguments):
    save_released(folder / "model_best.pth.tar", released_weights(mode))
    run(
        "convert_released",
        folder / "model_best.pth.tar",
        "--mode",
        mode,
        "--part",
        part,
        "--vocab",
        vocab,
        "--out",
        folder / "model",
        *arguments,
    )
    run(
        "eval",
        "--checkpoint",
        folder / "model",
        "--data",
        data,
        "--protocol",
        "first1k",
        "--json",
        folder / "result.json",
    )
    result = json.loads((folder / "result.json").read_text())
    assert (result["images"], result["captions"]) == (1000, 5000)
    return [[result[side][key] for key in ("r1", "r5", "r10", "medr")] for side in ("t2i", "i2t")]


def check(found, wanted):
    print(found, wanted)
    assert all(1 < recall < 99 for side in wanted for recall in side[:3])  # neither chance (0.1 %) nor perfect
    # Float32 swaps three of the 5,000 captions at most.
    np.testing.assert_allclose(found[0], wanted[0], rtol=0, atol=0.061)
    np.testing.assert_allclose(found[1], wanted[1], rtol=0, atol=0.101)  # and one image


@pytest.mark.parametrize("mode, part, stack, codes, only_first, regions", MODELS)
def test_recalls(mode, part, stack, codes, only_first, regions, vocab, data, tmp_path):
    check(evaluated(mode, part, vocab, data(regions), tmp_path), expected(stack, codes, only_first, regions))


def test_other_tokens_around_a_caption(vocab, data, tmp_path):
    found = evaluated("fast", "student", vocab, data(32), tmp_path, "--first-token", "[CLS]", "--last-token", "[SEP]")
    check(found, expected("encoder", False, True, 32, CLS, (SEP,)))
    assert abs(found[0][2] - expected("encoder", False, True, 32)[0][2]) > 1


@pytest.mark.parametrize("name, mode", [("I", "inflate"), ("I-B", "shrinktobase"), ("I-B-F", "shrinktofast")])
def test_documented_rows_are_the_published_ones(name, mode):
    recalls = published_table("table2")[name]["coco1k"]
    row = " | ".join([name, f"`{mode}`", "student", *("/".join(map(str, recalls[side])) for side in ("t2i", "i2t"))])
    assert f"\n| {row} |\n" in (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
