"""Items are numbered through the segments, deleted ones too; scores by hand."""

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import as_items
from inflate_shrink.search.index import UINT16, FieldSettings, IndexSettings, IndexWriter, create_index, open_index
from inflate_shrink.search.index import writer as writer_module
from inflate_shrink.search.sweep import Sweep

CENTROIDS = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
# Commits: the centroids that an item's rows are.
ITEMS = [
    {"a": [0, 1], "b": [2]},
    {"c": [1], "d": [0, 2], "e": [0]},
    {"f": [1, 1, 0]},
]
QUERY = np.array([[1, 0], [0.6, 0.8]], np.float32)  # its products with the centroids: 1 0 -1 and .6 .8 -.6
BY_TEXT = [1.8, -1.6, 0.8, 1.6, 1.6, 1.8]  # for each fragment of the query an item's best row
BY_IMAGE = [1.8, -0.6, 0.8, 0.4, 1, 2.6]  # for each row of an item the query's best fragment: 1 .8 -.6


@pytest.fixture
def make_sweep(tmp_path, monkeypatch):
    """A function: what the items are, what is deleted -> a sweep."""
    monkeypatch.setattr(writer_module, "_MERGED", 0)

    def make(items="images", *deleted, device="cpu"):
        create_index(
            tmp_path / "index",
            IndexSettings(items, {"fragments": FieldSettings("float32", 2), "codes": FieldSettings(UINT16, 1)}),
        )
        with IndexWriter(tmp_path / "index") as writer:
            for part in ITEMS:
                codes, lengths = np.concatenate(list(part.values())), [len(rows) for rows in part.values()]
                writer.add(
                    list(part),
                    [f"{item}.png" for item in part],
                    {"fragments": (CENTROIDS[codes], lengths), "codes": (codes.astype(np.uint16), lengths)},
                )
                writer.commit()
            writer.delete(deleted)
            writer.commit()
        return Sweep(open_index(tmp_path / "index"), threads=1, device=device)

    return make


@pytest.mark.filterwarnings("ignore:float16 products need a GPU")
@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("items, expected", [("images", BY_TEXT), ("captions", BY_IMAGE)])
def test_scores_by_hand(make_sweep, items, expected, device):
    # Without a GPU Paddle's operators compute on the CPU.
    sweep, expected = make_sweep(items, device=device), np.array(expected)
    np.testing.assert_allclose(sweep.scores("fragments", QUERY), expected, atol=1e-6)
    for numbers in ([0, 1, 2, 3, 4, 5], [1, 4], [5], [2, 3, 5], []):
        np.testing.assert_allclose(
            sweep.scores("fragments", QUERY, np.array(numbers, np.int64)), expected[numbers], atol=1e-6
        )


def test_code_scores_by_hand(make_sweep):
    sweep, table = make_sweep(), as_items(CENTROIDS)
    step = 2 / 255 * 2  # of a byte, for each of two fragments
    np.testing.assert_allclose(sweep.centroid_scores("codes", QUERY, table), BY_TEXT, atol=step)
    np.testing.assert_allclose(
        sweep.centroid_scores("codes", QUERY, table, np.array([1, 3, 5])), np.array(BY_TEXT)[[1, 3, 5]], atol=step
    )


def test_deleted_items_keep_their_numbers(make_sweep):
    sweep = make_sweep("images", "b", "e")
    assert sweep.items.live.tolist() == [0, 2, 3, 5]
    expected = np.where(np.isin(range(6), [1, 4]), -np.inf, BY_TEXT)
    np.testing.assert_allclose(sweep.scores("fragments", QUERY), expected, atol=1e-6)
    np.testing.assert_allclose(sweep.centroid_scores("codes", QUERY, as_items(CENTROIDS)), expected, atol=0.02)
    assert sweep.numbers(["f", "a", "d", "a"]).tolist() == [0, 3, 5]
    with pytest.raises(InputError, match="2 of 3 ids not in the index: 'b', 'g'"):
        sweep.numbers(["b", "a", "g"])


def test_names(make_sweep):
    sweep = make_sweep()
    assert sweep.items.live.tolist() == list(range(6))
    assert [sweep.items.name(number) for number in range(6)] == [(item, f"{item}.png") for item in "abcdef"]


def test_a_segment_without_live_items_has_no_numbers(make_sweep):
    sweep = make_sweep("images", "c", "d", "e")
    np.testing.assert_allclose(sweep.scores("fragments", QUERY), np.array(BY_TEXT)[[0, 1, 5]], atol=1e-6)
    assert [sweep.items.name(number)[0] for number in sweep.items.live] == ["a", "b", "f"]


def test_empty(make_sweep):
    sweep = make_sweep("images", *"abcdef")
    of_none = sweep.scores("fragments", QUERY, np.empty(0, np.int64))
    found = [
        sweep.scores("fragments", QUERY),
        of_none,
        sweep.centroid_scores("codes", QUERY, as_items(CENTROIDS)),
        sweep.items.live,
        sweep.numbers([]),
    ]
    assert [part.shape for part in found] == [(0,)] * 5
