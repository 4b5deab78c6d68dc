import pytest

from inflate_shrink.data.captions import table


def test_named_columns(read):
    content = 'id,part, text ,name\n1,train,"He said ""hi"", and left.",1.jpg\n\n,,,\n2,test,"On two\r\nlines.", 2.jpg\n3,val,x,3.jpg\n'
    captions = read("csv", content, image_column="name", caption_column="text", split_column="part")
    assert [caption[:3] for caption in captions] == [
        ("1.jpg", 'He said "hi", and left.', "train"),
        ("2.jpg", "On two lines.", "test"),
        ("3.jpg", "x", "val"),
    ]
    assert [caption.where.rpartition(" ")[2] for caption in captions] == ["2", "5", "7"]


def test_quotes_are_plain_in_tsv(read):
    captions = read("tsv", 'image\tcaption\n1.jpg\t"Stop", it says.\n2.jpg\tA 5" disc.\n')
    assert [caption.text for caption in captions] == ['"Stop", it says.', 'A 5" disc.']


def test_quote_that_is_never_closed_does_not_fill_the_memory(bad_record, monkeypatch):
    monkeypatch.setattr(table, "_LONGEST", 100)
    content = 'image,caption\n1.jpg,A cat.\n2.jpg,"A dog.\n' + "\n" * 100 + "3.jpg,An owl.\n"
    bad_record(
        "csv",
        content,
        "captions.csv: line 3: not a row (field larger than field limit (100)",
        left=[("1.jpg", "A cat."), ("3.jpg", "An owl.")],
    )


def test_long_field(read):
    assert len(read("csv", f"image,caption\n1.jpg,{'x' * 200_000}\n")[0].text) == 200_000


@pytest.mark.parametrize(
    "format, row, message",
    [
        ("csv", "2.jpg,A dog, a cat", "captions.csv: line 3: expected 2 fields (['image', 'caption']), found 3"),
        ("csv", "2.jpg", "captions.csv: line 3: expected 2 fields"),
        ("csv", '2.jpg,"A" dog', "captions.csv: line 3: not a row"),
        ("csv", "2.jpg,A\rdog", "captions.csv: line 3: not a row"),
        ("csv", ",A dog", "captions.csv: line 3: the image is empty"),
        ("tsv", "2.jpg A dog", "captions.tsv: line 3: expected 2 fields"),
        ("tsv", "2.jpg\tA\tdog", "captions.tsv: line 3: expected 2 fields"),
    ],
)
def test_bad_rows(bad_record, format, row, message):
    separator = "," if format == "csv" else "\t"
    content = f"image{separator}caption\n1.jpg{separator}A cat.\n{row}\n3.jpg{separator}An owl.\n"
    bad_record(format, content, message, left=[("1.jpg", "A cat."), ("3.jpg", "An owl.")])


def test_quote_that_is_never_closed(bad_record):
    content = 'image,caption\n1.jpg,A cat.\n2.jpg,"A dog.\n3.jpg,An owl.\n'
    bad_record("csv", content, "captions.csv: line 3: not a row", "line 4", left=[("1.jpg", "A cat.")])


@pytest.mark.parametrize(
    "header, message",
    [
        (
            "images,caption",
            "captions.csv: line 1: no column 'image'; the columns are: 'images', 'caption'; did you mean 'images'?",
        ),
        ("image,text", "no column 'caption'; the columns are: 'image', 'text'"),
        ("image\tcaption", "no column 'image'; the columns are: 'image\\tcaption'"),
        ("image,caption,image", "more than one column 'image'"),
    ],
)
def test_columns_that_are_not_there(rejected, header, message):
    rejected("csv", f"{header}\n1.jpg,A dog.\n", message)


def test_split_column_must_exist_and_be_filled(rejected, bad_record):
    rejected(
        "csv",
        "image,caption,Split\n1.jpg,A dog.,train\n",
        "no column 'split'",
        "did you mean 'Split'?",
        split_column="split",
    )
    content = "image,caption,split\n1.jpg,A dog.,train\n2.jpg,A cat.,\n"
    bad_record("csv", content, "line 3: the split is empty", left=[("1.jpg", "A dog.")], split_column="split")


def test_header_alone(rejected):
    rejected("tsv", "image\tcaption\n", "no usable caption")
