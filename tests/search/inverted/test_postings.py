"""Posting lists against those made by hand."""

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.search.inverted.postings import FILES, PostingsWriter


def lists(directory, blocks, at_once=1 << 24, **options):
    """offsets, images and scores of the files that the blocks give; the directory holds nothing else."""
    directory.mkdir(exist_ok=True)
    writer = PostingsWriter(directory, **options)
    for block in blocks:
        writer.add(np.array(block, np.float32))
    count = writer.finish(at_once)
    assert sorted(path.name for path in directory.iterdir()) == sorted(FILES)
    offsets, images, scores = (np.load(directory / name) for name in FILES)
    assert (offsets.dtype, images.dtype, count) == (np.int64, np.int32, offsets[-1])
    return offsets.tolist(), images.tolist(), scores


BLOCKS = [[[0, 2, 1], [3, 0, 0]], [[0, 0, 0]], [[4, -1, 5]]]


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_by_hand_however_many_are_sorted_at_once(tmp_path, at_once):
    offsets, images, scores = lists(tmp_path, BLOCKS, at_once)
    assert (offsets, images, scores.tolist()) == ([0, 2, 3, 5], [1, 3, 0, 0, 3], [3, 4, 2, 1, 5])


@pytest.mark.parametrize(
    "top, expected",
    [(1, ([0, 1, 2, 3], [1, 0, 3])), (2, ([0, 2, 3, 5], [1, 3, 0, 0, 3])), (9, ([0, 2, 3, 5], [1, 3, 0, 0, 3]))],
)
def test_best_pieces_of_each_image(tmp_path, top, expected):
    assert lists(tmp_path, BLOCKS, top=top)[:2] == expected


def test_half_precision_drops_what_it_rounds_to_zero(tmp_path):
    offsets, images, scores = lists(tmp_path, [[[1e-9, 1 / 3]]], dtype="float16")
    assert (offsets, images, scores.dtype, scores.tolist()) == ([0, 0, 1], [0], np.float16, [np.float16(1 / 3)])


def test_nothing_above_zero(tmp_path):
    with pytest.raises(InputError, match="no piece of the vocabulary scores above 0"):
        lists(tmp_path, [[[0, -1]]])
