"""What a writer refuses, by name, and what a writer that ended early leaves."""

import numpy as np
import pytest

from index_changes import SETTINGS, add, change, content, fields_of, files_in, rows_of, snapshot
from inflate_shrink.errors import InputError
from inflate_shrink.search.index import UINT16, FieldSettings, IndexSettings, IndexWriter, create_index, open_index

VECTORS = np.ones((2, 5), np.float32)


@pytest.mark.parametrize(
    "ids, fields, message",
    [
        (["a", "always"], {}, "id 'always' is in the index already; delete it first"),
        (["a", "a"], {}, "id 'a' was added twice"),
        (["pending", "a"], {}, "id 'pending' was added twice"),
        (["a\tb", "c"], {}, r"'a\\tb' holds a tab or a newline"),
        (["a", "b\n"], {}, r"'b\\n' holds a tab or a newline"),
        (["a", ""], {}, "'' is no id"),
        ([1, "b"], {}, "1 is no id"),
        (["a", "\ud800"], {}, "is not Unicode text"),
        (["a", "b", "c"], {}, "3 ids and 2 files"),
        (["a", "b"], {"fragments": None}, "item 'a': expected the fields fragments, codes, found codes"),
        (
            ["a", "b"],
            {"vector": (VECTORS, [1, 1])},
            "item 'a': expected the fields fragments, codes, found fragments, codes, vector",
        ),
        (
            ["a", "b"],
            {"fragments": (VECTORS[:, :4], [1, 1])},
            r"'a': field fragments: expected \(2, 5\) floating-point .*, found \(2, 4\) float32",
        ),
        (["a", "b"], {"fragments": (VECTORS, [1, 2])}, r"item 'a': field fragments: expected \(3, 5\)"),
        (
            ["a", "b"],
            {"fragments": (VECTORS.astype(int), [1, 1])},
            "expected .* floating-point numbers, found .* int64",
        ),
        (
            ["a", "b"],
            {"fragments": (VECTORS, [2])},
            "item 'a': field fragments: expected the numbers of rows of 2 items",
        ),
        (["a", "b"], {"fragments": (VECTORS, [2, 0])}, "item 'b': field fragments: has no rows"),
        (
            ["a", "b"],
            {"fragments": (VECTORS * [[1], [np.nan]], [1, 1])},
            "item 'b': field fragments: holds a number that is NaN",
        ),
        (["a", "b"], {"fragments": (VECTORS * [[1], [1e300]], [1, 1])}, "item 'b': field fragments: .* too large"),
        (
            ["a", "b"],
            {"codes": (np.zeros(2, np.int64), [1, 1])},
            r"item 'a': field codes: expected \(2,\) uint16, found \(2,\) int64",
        ),
    ],
)
def test_bad_items_are_refused_and_one_may_go_on(make_index, ids, fields, message):
    directory = make_index(1)
    with IndexWriter(directory) as writer:
        add(writer, "pending")
        given = {**fields_of([(1, 0), (1, 1)]), **fields}
        with pytest.raises(InputError, match=message) as error:
            writer.add(ids, ["", ""], {name: value for name, value in given.items() if value is not None})
        assert str(error.value).startswith(f"{directory}: ") and "\n" not in str(error.value)
        writer.commit()
    assert snapshot(open_index(directory)) == {**content(1), "pending": ("", rows_of(1, 0), [0] * 2)}


def test_unknown_ids_are_named_and_nothing_is_deleted(make_index):
    directory = make_index(2)
    with IndexWriter(directory) as writer:
        with pytest.raises(InputError, match=r"index: 2 of 3 ids not in the index: 'none', '1-0'$"):
            writer.delete(["1-1", "none", "1-0"])
        writer.commit()
    assert snapshot(open_index(directory)) == content(2)


@pytest.mark.parametrize(
    "items, fields, message",
    [
        ("photos", {"fragments": ("int8", 5)}, "images or captions, not 'photos'"),
        ("images", {}, "at least one field"),
        ("images", {"../x": ("int8", 5)}, "no name for a field"),
        ("images", {"ids": ("int8", 5)}, "no name for a field"),
        ("images", {"fragments": ("int4", 5)}, "'int4' is none of float32, bfloat16, int8, uint16"),
        ("images", {"fragments": ("int8", 0)}, "field fragments: rows in int8 have 1 to 132104 dimensions, found 0"),
        (
            "images",
            {"fragments": ("int8", 132_105)},
            "field fragments: rows in int8 have 1 to 132104 dimensions, found 132105",
        ),
        ("images", {"codes": (UINT16, 5)}, "5 dimensions of uint16; expected 1"),
    ],
)
def test_settings(items, fields, message):
    with pytest.raises(InputError, match=message):
        IndexSettings(items, {name: FieldSettings(*value) for name, value in fields.items()})


def test_a_directory_is_not_replaced(make_index):
    directory = make_index(1)
    with pytest.raises(InputError, match="index: already exists and is not replaced"):
        create_index(directory, SETTINGS)
    assert snapshot(open_index(directory)) == content(1)


def test_a_new_index_appears_whole_or_not_at_all(tmp_path):
    def prepare(directory):
        (directory / "part").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="new/index: cannot be written: No space left on device"):
        create_index(tmp_path / "new" / "index", SETTINGS, prepare)
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(InputError, match="is not Unicode text"):
        create_index(tmp_path / "new" / "index", IndexSettings("images", SETTINGS.fields, {"photos": "\udcff"}))


def test_leftovers_of_a_crashed_writer_are_removed(make_index):
    directory = make_index(2)
    before = files_in(directory)
    (directory / "segments" / "00000003-00000000").mkdir()
    for name in ("segments/00000003-00000000/ids.tsv", "deleted/00000001-x.00000003-y", ".manifest.json.tmp-1"):
        (directory / name).touch()
    open_index(directory)
    assert files_in(directory) != before  # readers touch nothing
    with IndexWriter(directory) as writer:
        assert files_in(directory) == before
        change(writer, 3)
    assert snapshot(open_index(directory)) == content(3)


def test_empty_directories_that_a_copy_left_out(make_index):
    directory = make_index(0)
    (directory / "segments").rmdir()
    (directory / "deleted").rmdir()
    assert len(open_index(directory)) == 0
    with IndexWriter(directory) as writer:
        change(writer, 1)
    assert snapshot(open_index(directory)) == content(1)
