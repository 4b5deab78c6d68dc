"""The order of training samples, and the thread that makes batches ahead."""

import threading
import time

import numpy as np
import pytest

from inflate_shrink.data.batches import batches_per_epoch, epoch_batches, prefetch
from inflate_shrink.data.store import open_store
from inflate_shrink.data.tokenized import TokenizedSplit


@pytest.fixture(scope="module")
def store(tiny_data):
    return open_store(tiny_data)


def numbered(store):
    """The training split; each caption's id is ten times its number."""
    split = store.split("train")
    return TokenizedSplit(split, np.arange(len(split.captions))[:, None] * 10)


def captions(store, **options):
    return [
        batch.captions
        for batch in epoch_batches(store, numbered(store), **{**dict(batch_size=50, seed=0, epoch=0), **options})
    ]


def test_every_caption_at_most_once_and_only_whole_batches(store):
    batches = captions(store)
    assert [len(batch) for batch in batches] == [50, 50]  # of 120
    assert len(set(np.concatenate(batches))) == 100
    assert batches_per_epoch(numbered(store), 50) == 2


def test_batch_holds_what_belongs_together(store):
    split = store.split("train")
    for batch in epoch_batches(store, numbered(store), 40, seed=3, epoch=2):
        np.testing.assert_array_equal(batch.ids[:, 0], batch.captions * 10)
        np.testing.assert_array_equal(batch.images, split.caption_image[batch.captions])
        rows = split.image_rows[batch.images]
        np.testing.assert_array_equal(batch.regions, store.regions[rows].astype("float32"))
        np.testing.assert_array_equal(batch.counts, store.region_counts[rows])


def test_order_depends_on_seed_and_epoch_alone(store):
    first = np.concatenate(captions(store))
    np.random.seed(1)
    np.testing.assert_array_equal(np.concatenate(captions(store)), first)
    assert (np.concatenate(captions(store, seed=1)) != first).any()
    assert (np.concatenate(captions(store, epoch=1)) != first).any()
    np.testing.assert_array_equal(np.concatenate(captions(store, batch_size=25)), first)


@pytest.mark.parametrize("first", [0, 1, 5, 12])
def test_first_continues_the_same_sequence(store, first):
    everything, rest = captions(store, batch_size=10), captions(store, batch_size=10, first=first)
    assert len(rest) == 12 - first
    for ours, expected in zip(rest, everything[first:]):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_processes_share_each_batch_without_overlap(store, size):
    whole = list(epoch_batches(store, numbered(store), 20, seed=3, epoch=1))
    shares = [
        list(epoch_batches(store, numbered(store), 20, seed=3, epoch=1, rank=rank, size=size)) for rank in range(size)
    ]
    for batch, parts in zip(whole, zip(*shares)):
        for name in ("regions", "counts"):
            np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(batch, name))
        assert [list(range(20)[part.own]) for part in parts] == np.arange(20).reshape(size, -1).tolist()
        for part in parts:
            for name in ("ids", "captions", "images"):
                np.testing.assert_array_equal(getattr(part, name), getattr(batch, name))


def producers():
    return [thread for thread in threading.enumerate() if "produce" in thread.name]


@pytest.fixture
def no_producer_left():
    before = len(producers())
    yield
    deadline = time.monotonic() + 60
    while len(producers()) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(producers()) <= before


def test_prefetch_gives_the_same_items(no_producer_left):
    assert list(prefetch(range(20))) == list(range(20))
    assert list(prefetch([])) == []


def test_prefetch_works_ahead_but_not_far():
    made = []
    items = prefetch((made.append(i) for i in range(100)), depth=2)
    next(items)
    deadline = time.monotonic() + 60
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 3 <= len(made) <= 4  # one taken, two ready, one waiting for its place
    items.close()


@pytest.mark.parametrize("error", [ValueError("at three"), KeyboardInterrupt()])
def test_exception_is_raised_where_the_items_are_used(error, no_producer_left):
    def failing():
        yield from range(3)
        raise error

    items = prefetch(failing())
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(type(error)) as caught:
        next(items)
    assert caught.value is error


def test_closing_early_ends_the_thread(no_producer_left):
    items = prefetch(iter(int, 1))  # endless
    next(items)
    items.close()


def test_captions_of_an_image_come_together(store):
    """Each image of the tiny data has several captions: groups of two, the last of an image may be one alone."""
    split = store.split("train")
    order = np.concatenate(captions(store, batch_size=len(split.captions), together=2))
    assert sorted(order) == list(range(len(split.captions)))
    images, counts = split.caption_image[order], np.bincount(split.caption_image)
    runs = np.split(images, np.flatnonzero(np.diff(images)) + 1)
    assert max(counts) > 2
    assert sum(len(run) // 2 for run in runs) == sum(counts // 2)
    assert any((run[0] == other[0]) for run, other in zip(runs, runs[2:])) or len(runs) > len(counts)
    assert (order != np.concatenate(captions(store, batch_size=len(order), together=2, epoch=1))).any()
