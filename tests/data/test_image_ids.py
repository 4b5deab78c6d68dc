import pytest

from inflate_shrink.data.image_ids import ImageIds, safe_name


@pytest.mark.parametrize(
    "caption, region",
    [
        ("1000092795.jpg", "1000092795.jpg"),
        ("1000092795.jpg", "1000092795"),
        ("1000092795", "1000092795.JPEG"),
        ("COCO_val2014_000000391895.jpg", "391895"),
        ("COCO_val2014_000000391895.jpg", "coco_val2014_000000391895"),
        ("COCO_val2014_000000391895.jpg", "val2014/COCO_val2014_000000391895.jpg"),
        ("391895", "COCO_train2014_000000391895.jpg"),
        ("COCO_test2015_000000000001.jpg", "000000000001.jpg"),
        ("coco_test2017_12", "12"),
        ("1234.jpg", "flickr30k_000001234"),
        ("1234.jpg", "parts/flickr30k_000001234"),
        ("sub folder/photo 1.JPG", "sub folder/photo 1"),
        ("sub folder/photo 1.JPG", "sub folder/photo 1.png"),
        ("train/007.jpg", "train/7"),
        ("0.jpg", "000"),
        ("photo.v2.jpg", "photo.v2"),
    ],
)
def test_same_image(caption, region):
    assert ImageIds(["other.jpg", caption, caption]).match(region) == caption


@pytest.mark.parametrize(
    "captions, region",
    [
        (["photo 1.jpg"], "sub folder/photo 1.jpg"),  # folders are part of a name
        (["cats/1.jpg"], "dogs/1"),
        (["1.jpg"], "flickr8k_1"),  # not a known prefix
        (["1.jpg"], "1.npy"),
        (["12.jpg"], "1"),
        (["a.jpg", "a.png"], "a"),  # shared without extension
        (["COCO_val2014_000000000005.jpg", "COCO_train2014_000000000005.jpg"], "5"),  # shared number
        (["a/5.jpg", "b/5.jpg"], "5"),
        (["5.jpg"], ""),
        (["5.jpg"], "\u0665"),  # an Arabic digit five
        ([], "5"),
    ],
)
def test_another_image(captions, region):
    assert ImageIds(captions).match(region) is None


def test_exact_name_among_similar_ones():
    ids = ImageIds(["a.jpg", "a.png", "5", "005.jpg"])
    expected = {
        "a.jpg": "a.jpg",
        "a.png": "a.png",
        "a.gif": None,
        "5": "5",
        "005.jpg": "005.jpg",
        "005": "005.jpg",
        "05": None,
    }
    assert {name: ids.match(name) for name in expected} == expected


@pytest.mark.parametrize(
    "name", ["1000092795.jpg", "sub folder/photo 1.JPG", "a..b", "...", "bücher/ñ.png", "train-3", "12:30.jpg"]
)
def test_safe_name(name):
    assert safe_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "..",
        "../a",
        "a/../b",
        "a/..",
        "..\\a",
        "\\\\host\\a",
        "C:\\a",
        "c:/a",
        "a\0",
        "a\tb",
        "a\nb",
        "a\r",
        "a\udce9",
    ],
)
def test_unsafe_name(name):
    assert not safe_name(name)
