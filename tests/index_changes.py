"""Commits whose content is known by their number. As a script: one after another, until killed."""

import os
import sys
from pathlib import Path

import numpy as np

import inflate_shrink  # noqa: F401  first, as everywhere
from inflate_shrink.kernel import decode_rows
from inflate_shrink.search.index import UINT16, FieldSettings, IndexSettings, IndexWriter, open_index
from inflate_shrink.search.index.manifest import read_manifest

SETTINGS = IndexSettings(
    "captions", {"fragments": FieldSettings("int8", 5), "codes": FieldSettings(UINT16, 1)}, {"model": "made up"}
)


def rows_of(number, k):
    """Rows of item k of a commit: one to three, ragged; int8 keeps them exactly."""
    return [(127.0, float(number % 100), float(k), float(row), 0.0) for row in range(1 + (number + k) % 3)]


def fields_of(items):
    """What IndexWriter.add takes, for (number, k) of each item."""
    rows = [rows_of(*item) for item in items]
    lengths = [len(part) for part in rows]
    codes = np.array([item[1] for item, length in zip(items, lengths) for _ in range(length)], np.uint16)
    return {"fragments": (np.array(sum(rows, []), np.float32), lengths), "codes": (codes, lengths)}


def add(writer, *names, **changed):
    """Items of these ids, 1-0, 1-1, ... of :func:`rows_of`, with some fields replaced."""
    writer.add(names, [""] * len(names), {**fields_of([(1, k) for k in range(len(names))]), **changed})


def names_of(number):
    return [f"{number}-0", f"{number}-1", "always"]


def change(writer, number):
    """Make commit ``number``: three items, one of them a replacement; one of the commit before goes.

    Commits 3, 8, 13, ... compact, so that 6, 11, ... merge.
    """
    if number > 1:
        writer.delete([f"{number - 1}-0", "always"])
    writer.add(names_of(number), [f"{number}.jpg", "", "ü"], fields_of([(number, k) for k in range(3)]))
    if number % 5 == 3:
        writer.compact()
    writer.commit()


def content(commit):
    """What the index holds after so many changes: id -> file, rows, codes."""
    items = {}
    for number in range(1, commit + 1):
        items.pop(f"{number - 1}-0", None)
        for k, (name, file) in enumerate(zip(names_of(number), [f"{number}.jpg", "", "ü"])):
            rows = rows_of(number, k)
            items[name] = file, rows, [k] * len(rows)
    return items


def snapshot(index):
    """The same, read from an index."""
    items = {}
    for segment in index.segments:
        fragments, codes = segment.stored("fragments"), segment.stored("codes")
        vectors = decode_rows(fragments.values, fragments.scales, fragments.precision, fragments.dim)
        for row in range(len(segment)):
            if segment.deleted is None or not segment.deleted[row]:
                part = slice(fragments.offsets[row], fragments.offsets[row + 1])
                assert segment.ids[row] not in items
                items[segment.ids[row]] = (
                    segment.files[row],
                    list(map(tuple, vectors[part].tolist())),
                    codes.values[part].tolist(),
                )
    assert len(index) == len(items)
    return items


def files_in(directory):
    """Paths of all files but the lock, and of the directories of segments, from the directory."""
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.name != "lock"}


def named_in(directory):
    """The same, of what the manifest names."""
    manifest = read_manifest(directory)
    files = {name for entry in manifest.segments for name in entry.files} | set(manifest.files)
    parents = {parent.as_posix() for name in files for parent in Path(name).parents} - {"."}
    return files | parents | {"manifest.json", "segments", "deleted"}


if __name__ == "__main__":
    os.fsync = lambda descriptor: None  # as in conftest.py
    with IndexWriter(sys.argv[1]) as forever:
        for commit in range(open_index(sys.argv[1]).commit + 1, int(sys.argv[2]) + 1):
            change(forever, commit)
            print(commit, flush=True)
