import json

import pytest


def test_one_or_several_captions(read):
    content = '{"image": "1.jpg", "captions": ["A dog.", "A cat."], "split": "val", "more": 1}\n\n{"caption": "An owl.", "image": "2.jpg"}'
    captions = read("jsonl", content)
    assert [caption[:3] for caption in captions] == [
        ("1.jpg", "A dog.", "val"),
        ("1.jpg", "A cat.", "val"),
        ("2.jpg", "An owl.", None),
    ]
    assert captions[1].where.endswith("captions.jsonl: line 1: captions[1]")


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"image": "2.jpg", "captions": ["A d', "line 2: column 33: not valid JSON (Unterminated string starting at)"),
        ('{"image": "2.jpg", "caption": "x"}}', "line 2: column 35: not valid JSON (Extra data)"),
        ('["2.jpg", "A dog."]', "line 2: expected an object with the key 'image', found ['2.jpg', 'A dog.']"),
        ('{"captions": ["A dog."]}', "line 2: image: missing, expected text"),
        ('{"image": 2, "caption": "A dog."}', "line 2: image: expected text, found 2"),
        ('{"image": "2.jpg"}', "line 2: captions: missing, expected a list"),
        ('{"image": "2.jpg", "captions": "A dog."}', "line 2: captions: expected a list, found 'A dog.'"),
        ('{"image": "2.jpg", "captions": []}', "line 2: captions: empty"),
        ('{"image": "2.jpg", "caption": ["A dog."]}', "line 2: caption: expected text, found ['A dog.']"),
        (
            '{"image": "2.jpg", "captions": ["A dog."], "caption": "A dog."}',
            "line 2: 'caption' and 'captions', expected one of them",
        ),
        ('{"image": "2.jpg", "caption": "A dog.", "split": 1}', "line 2: split: expected text, found 1"),
        ('{"image": "2.jpg", "captions": [null]}', "line 2: captions[0]: expected text, found None"),
        ('{"image": "1.jpg", "captions": ["A dog."]}', "line 2: image '1.jpg' is already at "),
    ],
)
def test_bad_lines(bad_record, line, message):
    content = f'{{"image": "1.jpg", "caption": "A cat."}}\n{line}\n{{"image": "3.jpg", "caption": "An owl."}}\n'
    bad_record("jsonl", content, f"captions.jsonl: {message}", left=[("1.jpg", "A cat."), ("3.jpg", "An owl.")])


def test_one_caption_a_record(read):
    records = [{"image": "1.jpg", "caption": text} for text in ("A dog.", "A cat.")]
    for format, content in (("jsonl", "\n".join(map(json.dumps, records))), ("json", json.dumps(records, indent=1))):
        assert [caption[:2] for caption in read(format, content)] == [("1.jpg", "A dog."), ("1.jpg", "A cat.")]


def test_bad_records_of_a_list(bad_record, rejected):
    records = [{"image": "1.jpg", "captions": ["A cat."]}, {"image": "2.jpg"}, {"image": "1.jpg", "captions": ["No."]}]
    left = [("1.jpg", "A cat.")]
    bad_record("json", json.dumps(records[:2]), "captions.json: [1]: captions: missing, expected a list", left=left)
    bad_record(
        "json",
        json.dumps(records[::2]),
        "captions.json: [1]: image '1.jpg' is already at ",
        "captions.json: [0]",
        left=left,
    )
    rejected("json", '{"images": []}', "captions.json: expected a JSON list of", "Karpathy's of karpathy")
