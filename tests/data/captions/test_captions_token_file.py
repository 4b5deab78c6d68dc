import pytest


def test_key_and_text(read):
    captions = read("flickr", "a#b.jpg#0\tA\tdog.\n\n2 3.jpg#12\tAn owl.")
    assert [caption[:3] for caption in captions] == [("a#b.jpg", "A dog.", None), ("2 3.jpg", "An owl.", None)]
    assert captions[1].where.endswith("captions.flickr: line 3")


@pytest.mark.parametrize(
    "line",
    ["2.jpg A dog.", *(f"{key}\tA dog." for key in ("2.jpg", "2.jpg#", "2.jpg#x", "2.jpg#-1", "2.jpg#²", "#0", ""))],
)
def test_other_lines(bad_record, line):
    bad_record(
        "flickr",
        f"1.jpg#0\tA cat.\n{line}\n",
        "captions.flickr: line 2: expected name.jpg#0<TAB>caption",
        left=[("1.jpg", "A cat.")],
    )


def test_repeated_number(bad_record):
    content = "1.jpg#0\tA cat.\n1.jpg#1\tA cat.\n1.jpg#0\tA dog.\n"
    bad_record(
        "flickr", content, "captions.flickr: line 3: '1.jpg#0' is already on line 1", left=[("1.jpg", "A cat.")] * 2
    )
