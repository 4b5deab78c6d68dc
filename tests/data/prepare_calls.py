"""A call of prepare with captions of a few words."""

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.captions.records import Caption
from inflate_shrink.data.prepare import prepare, region_source


def captions_of(*rows):
    """Of "split image text"."""
    rows = [row.split(" ", 2) for row in rows]
    return [
        Caption(image, text, split, f"captions.txt: line {number}")
        for number, (split, image, text) in enumerate(rows, 1)
    ]


def vocabulary(captions):
    return ["[PAD]", *(caption.text for caption in captions)]


def run(out, captions, *paths, format="tsv", bad=None, **options):
    source = region_source([str(path) for path in paths], format, "my detector")
    return prepare(out, captions, source, vocabulary, bad=bad or BadRecords(), **options)
