"""A query, the items of an index, and the root of its photos."""

import json

from inflate_shrink.search.index import open_index

QUERY = "a red ball left of a box"


def ids_of(directory):
    """Of the live items, in order."""
    segments = open_index(directory).segments
    return [
        item
        for segment in segments
        for row, item in enumerate(segment.ids)
        if segment.deleted is None or not segment.deleted[row]
    ]


def same_root(data, index):
    """Say that the photos of a data set are those of an index."""
    meta = json.loads((data / "meta.json").read_text())
    (data / "files.json").unlink(missing_ok=True)
    (data / "meta.json").write_text(
        json.dumps({**meta, "image_root": open_index(index).settings.origin["data"]["image_root"]})
    )
