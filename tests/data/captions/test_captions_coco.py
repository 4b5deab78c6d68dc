import copy
import json

import pytest

FILE = {
    "images": [{"id": 5, "file_name": "5.jpg"}, {"id": "six", "file_name": "6.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 5, "caption": "A dog."},
        {"id": 2, "image_id": "six", "caption": "An owl."},
        {"image_id": 5, "caption": "A cat."},  # an id is not needed
    ],
}
DOG, OWL, CAT = ("5.jpg", "A dog."), ("6.jpg", "An owl."), ("5.jpg", "A cat.")


def test_names_instead_of_ids(read):
    captions = read("coco", json.dumps(FILE))
    assert [caption[:2] for caption in captions] == [DOG, OWL, CAT]
    assert captions[1].where.endswith("captions.coco: annotations[1]")


@pytest.mark.parametrize(
    "change, message, left",
    [
        (
            lambda images, notes: notes[1].update(image_id=6),
            "annotations[1].image_id: 6 is the id of no image",
            [DOG, CAT],
        ),
        (
            lambda images, notes: notes[1].pop("image_id"),
            "annotations[1].image_id: missing, expected a whole number or text",
            [DOG, CAT],
        ),
        (
            lambda images, notes: notes[1].update(image_id=[5]),
            "annotations[1].image_id: expected a whole number or text, found [5]",
            [DOG, CAT],
        ),
        (
            lambda images, notes: notes[1].update(image_id=True),
            "annotations[1].image_id: expected a whole number or text, found True",
            [DOG, CAT],
        ),
        (lambda images, notes: notes[1].pop("caption"), "annotations[1].caption: missing, expected text", [DOG, CAT]),
        (lambda images, notes: notes[1].update(id=1), "annotations[1].id: 1 is already annotations[0]", [DOG, CAT]),
        (
            lambda images, notes: notes[1].update(id={}),
            "annotations[1].id: expected a whole number or text, found {}",
            [DOG, CAT],
        ),
        (
            lambda images, notes: images.append({"id": 5, "file_name": "7.jpg"}),
            "images[2].id: 5 is already images[0]",
            [DOG, OWL, CAT],
        ),
        (
            lambda images, notes: images.append({"id": 7, "file_name": "6.jpg"}),
            "images[2].file_name: '6.jpg' is already images[1]",
            [DOG, OWL, CAT],
        ),
        (
            lambda images, notes: images.append({"id": 7}),
            "images[2].file_name: missing, expected text",
            [DOG, OWL, CAT],
        ),
        (
            lambda images, notes: images.append(7),
            "images[2]: expected an object with the key 'id', found 7",
            [DOG, OWL, CAT],
        ),
    ],
)
def test_bad_records(bad_record, change, message, left):
    content = copy.deepcopy(FILE)
    change(content["images"], content["annotations"])
    bad_record("coco", json.dumps(content), f"captions.coco: {message}", left=left)


@pytest.mark.parametrize("key", ["images", "annotations"])
def test_missing_list(rejected, key):
    rejected(
        "coco", json.dumps({**FILE, key: None}), f"captions.coco: expected a JSON object whose key '{key}' is a list"
    )
