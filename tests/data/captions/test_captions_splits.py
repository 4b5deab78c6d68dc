import random

import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.captions.records import Caption
from inflate_shrink.data.captions.splits import assign_splits, check_one_split, split_by_lists, split_by_proportion
from inflate_shrink.errors import InputError


def captions_of(*images):
    """Two captions an image, apart from each other."""
    return [Caption(image, f"{image} {i}", "old", f"captions: line {i}") for i in range(2) for image in images]


def splits(captions):
    return {caption.image_id: caption.split for caption in captions}


@pytest.fixture
def lists(tmp_path):
    """A function: split -> content of its list, as paths."""

    def write(**contents):
        for split, content in contents.items():
            (tmp_path / f"{split}.txt").write_text(content, encoding="utf-8")
        return {split: tmp_path / f"{split}.txt" for split in contents}

    return write


def test_lists(lists):
    captions = captions_of("1.jpg", "é 2.png", "3", "4.jpg", "a/5.jpg", ".6", "7.jpg")
    chosen, left_out = split_by_lists(
        captions, lists(train="1\r\n\né 2.png \n1.jpg\n1\n", test="3.jpg\na/5\n.6"), BadRecords()
    )
    assert splits(chosen) == {"1.jpg": "train", "é 2.png": "train", "3": "test", "a/5.jpg": "test", ".6": "test"}
    assert [caption.text for caption in chosen[:5]] == ["1.jpg 0", "é 2.png 0", "3 0", "a/5.jpg 0", ".6 0"]
    assert len(chosen) == 10 and left_out == 2


def test_other_extension_is_another_image(lists):
    chosen, left_out = split_by_lists(
        captions_of("1.jpg", "1.png", "2.jpg"), lists(train="1.jpg\n", test="1.png\n"), BadRecords()
    )
    assert splits(chosen) == {"1.jpg": "train", "1.png": "test"} and left_out == 1


@pytest.mark.parametrize("train, test", [("x\n1.jpg\n", "\n1.jpg\n"), ("x\n1\n", "\n1.jpg\n"), ("x\n1.jpg\n", "\n1\n")])
def test_image_in_two_lists(lists, train, test):
    with pytest.raises(InputError) as caught:
        split_by_lists(captions_of("1.jpg", "x"), lists(train=train, test=test), BadRecords(skip=True))
    for part in ("'1.jpg'", "train.txt: line 2", "test.txt: line 2"):
        assert part in str(caught.value)


def test_listed_image_without_captions(lists, capsys):
    paths = lists(train="1\n2\n", test="3")
    with pytest.raises(InputError, match=r"train.txt: line 2: image '2' has no captions"):
        split_by_lists(captions_of("1.jpg"), paths, BadRecords())
    bad = BadRecords(skip=True)
    assert splits(split_by_lists(captions_of("1.jpg"), paths, bad)[0]) == {"1.jpg": "train"}
    assert bad.count == 2 and "test.txt: line 1: image '3' has no captions" in capsys.readouterr().err


def test_unusable_lists(lists, tmp_path):
    with pytest.raises(InputError, match="train.txt: none of the 2 images with captions is listed"):
        split_by_lists(captions_of("1", "2"), lists(train="3"), BadRecords(skip=True))
    unreadable = [
        ({"val": tmp_path / "no"}, "no: no such file"),
        ({"val": tmp_path}, "is a directory"),
        (lists(val=""), "val.txt: empty file"),
    ]
    for paths, message in unreadable:
        with pytest.raises(InputError, match=message):
            split_by_lists(captions_of("1"), paths, BadRecords())


def test_proportions():
    captions = captions_of(*(f"{i}.jpg" for i in range(100)))
    drawn = split_by_proportion(captions, 0.1, 0.25, seed=3)
    assert [caption[:2] for caption in drawn] == [caption[:2] for caption in captions]
    assert len(set((caption.image_id, caption.split) for caption in drawn)) == 100  # whole images
    assert sorted(splits(drawn).values()) == ["test"] * 25 + ["train"] * 65 + ["val"] * 10
    assert split_by_proportion(captions, 0.1, 0.25, seed=3) == drawn
    assert splits(split_by_proportion(captions, 0.1, 0.25, seed=4)) != splits(drawn)
    random.Random(0).shuffle(captions)
    assert splits(split_by_proportion(captions, 0.1, 0.25, seed=3)) == splits(drawn)


@pytest.mark.parametrize(
    "images, val, test, sizes",
    [
        (3, 0.01, 0.01, (1, 1, 1)),
        (3, 0.5, 0.4, (1, 1, 1)),
        (3, 0.98, 0.01, (1, 1, 1)),
        (10, 0.6, 0.39, (1, 5, 4)),
        (2, 0, 0.9, (1, 0, 1)),
        (1, 0, 0, (1, 0, 0)),
    ],
)
def test_every_split_gets_an_image(images, val, test, sizes):
    found = list(splits(split_by_proportion(captions_of(*map(str, range(images))), val, test, seed=0)).values())
    assert tuple(found.count(split) for split in ("train", "val", "test")) == sizes


@pytest.mark.parametrize(
    "val, test", [(-0.1, 0.1), (0.1, -0.1), (1, 0), (0, 1.5), (0.5, 0.5), (float("nan"), 0), (0, float("inf"))]
)
def test_proportions_out_of_range(val, test):
    with pytest.raises(InputError, match=f"val {val} and test {test}: expected two numbers from 0, together below 1"):
        split_by_proportion(captions_of("1", "2", "3"), val, test, seed=0)


@pytest.mark.parametrize("images, val, test", [(0, 0, 0), (1, 0.1, 0), (2, 0.1, 0.1)])
def test_too_few_images(images, val, test):
    with pytest.raises(InputError, match=f"{images} images are too few"):
        split_by_proportion(captions_of(*map(str, range(images))), val, test, seed=0)


@pytest.mark.parametrize("second, shown", [("test", "'test'"), (None, "no split")])
def test_one_split(second, shown):
    captions = [
        Caption("1", "a", "train", "x: line 1"),
        Caption("2", "a", "test", "x: line 2"),
        Caption("1", "b", "train", "y: line 3"),
    ]
    check_one_split(captions)
    with pytest.raises(InputError) as caught:
        check_one_split([*captions, Caption("1", "c", second, "y: line 4")])
    assert f"image '1' is in two splits: 'train' (x: line 1) and {shown} (y: line 4)" in str(caught.value)


def test_lists_before_own_splits_before_a_draw(lists):
    own = captions_of("1", "2", "3")
    assert assign_splits(own, lists(val="1\n3"), 0.1, 0.1, 0, BadRecords()) == split_by_lists(
        own, lists(val="1\n3"), BadRecords()
    )
    assert assign_splits(own, {}, 0.1, 0.1, 0, BadRecords()) == (own, 0)
    none = [caption._replace(split=None) for caption in own]
    assert assign_splits(none, {}, 0.1, 0.1, 7, BadRecords()) == (split_by_proportion(none, 0.1, 0.1, 7), 0)
    with pytest.raises(InputError, match="captions: line 1: image '2' has no split, but others have"):
        assign_splits([own[0], none[4]], {}, 0.1, 0.1, 0, BadRecords())
    with pytest.raises(InputError, match="image '1' is in two splits"):
        assign_splits([*own, own[0]._replace(split="new")], {}, 0.1, 0.1, 0, BadRecords())
