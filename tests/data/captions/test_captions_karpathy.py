import copy
import json

import pytest

IMAGES = [
    {
        "filename": f"{n}.jpg",
        "filepath": "val2014",
        "split": split,
        "sentences": [{"raw": f"Dog {n}."}, {"raw": f"Cat {n}."}],
    }
    for n, split in enumerate(["train", "restval", "val", "test"])
]


def texts(*numbers):
    return [(f"{n}.jpg", f"{animal} {n}.") for n in numbers for animal in ("Dog", "Cat")]


def test_restval_counts_as_train(read):
    captions = read("karpathy", json.dumps({"images": IMAGES}))
    assert [caption[:2] for caption in captions] == texts(0, 1, 2, 3)
    assert [caption.split for caption in captions[::2]] == ["train", "train", "val", "test"]
    assert captions[3].where.endswith("images[1].sentences[1]")


def test_restval_is_left_out(read):
    captions = read("karpathy", json.dumps({"images": IMAGES}), restval=False)
    assert [caption[:2] for caption in captions] == texts(0, 2, 3)


def images_with(change):
    images = copy.deepcopy(IMAGES)
    change(images)
    return json.dumps({"images": images})


@pytest.mark.parametrize(
    "change, message, left",
    [
        (lambda images: images[2].pop("filename"), "images[2].filename: missing, expected text", texts(0, 1, 3)),
        (lambda images: images[2].pop("split"), "images[2].split: missing, expected text", texts(0, 1, 3)),
        (
            lambda images: images[2].update(sentences={}),
            "images[2].sentences: expected a list, found {}",
            texts(0, 1, 3),
        ),
        (lambda images: images[2].update(sentences=[]), "images[2].sentences: empty", texts(0, 1, 3)),
        (
            lambda images: images[3]["sentences"][0].pop("raw"),
            "images[3].sentences[0].raw: missing, expected text",
            texts(0, 1, 2) + texts(3)[1:],
        ),
        (
            lambda images: images[3]["sentences"][1].update(raw=5),
            "images[3].sentences[1].raw: expected text, found 5",
            texts(0, 1, 2, 3)[:7],
        ),
        (
            lambda images: images[3]["sentences"].append("x"),
            "images[3].sentences[2]: expected an object with the key 'raw'",
            texts(0, 1, 2, 3),
        ),
        (
            lambda images: images.insert(0, None),
            "images[0]: expected an object with the key 'filename', found None",
            texts(0, 1, 2, 3),
        ),
        (
            lambda images: images.append(images[1]),
            "images[4].filename: '1.jpg' is already images[1]",
            texts(0, 1, 2, 3),
        ),
    ],
)
def test_bad_images(bad_record, change, message, left):
    bad_record("karpathy", images_with(change), f"captions.karpathy: {message}", left=left)


@pytest.mark.parametrize(
    "content, message",
    [
        ("[]", "expected a JSON object whose key 'images' is a list"),
        ('{"annotations": [], "info": 1}', "found 'annotations', 'info'"),
        ("{}", "found no keys"),
        ('{"images": {}}', "key 'images' is a list"),
        ('{"images": []}', "no usable caption"),
        (
            '{"images": [\n{"filename": "1.j',
            "line 2 column 14: not valid JSON (Unterminated string starting at); the file is cut short",
        ),
    ],
)
def test_other_json(rejected, content, message):
    rejected("karpathy", content, "captions.karpathy", message, skip=True)
