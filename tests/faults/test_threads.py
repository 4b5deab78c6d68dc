"""Many read an index, by threads of one process and of others, while one changes it: each sees one commit, whole."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from kernel_arguments import case, same, tried

import index_changes
from inflate_shrink.search.index import IndexWriter, create_index, open_index, verify_index

READERS = 4


@pytest.mark.parametrize("commits", [8, pytest.param(300, marks=pytest.mark.long)])
def test_readers_see_whole_commits_while_a_writer_goes_on(commits, tmp_path, tally, no_waiting_for_the_disk):
    directory, counts, ends = tmp_path / "index", tally("threads", "readers beside a writer"), threading.Event()
    create_index(directory, index_changes.SETTINGS)
    with IndexWriter(directory) as writer:
        index_changes.change(writer, 1)

    def read(verify):
        seen, last = 0, 0
        while not ends.is_set() or not seen:
            index = open_index(directory)
            assert index.commit >= last and index_changes.snapshot(index) == index_changes.content(index.commit)
            if verify:
                verify_index(directory)
            seen, last = seen + 1, index.commit
        return seen

    with ThreadPoolExecutor(READERS) as pool:
        reading = [pool.submit(read, number == 0) for number in range(READERS)]
        try:
            for number in range(2, commits + 1):
                with IndexWriter(directory, wait=10) as writer:
                    index_changes.change(writer, number)
        finally:
            ends.set()
        counts["right"] += sum(thread.result() for thread in reading)
    assert open_index(directory).commit == commits


@pytest.mark.parametrize("times", [4, pytest.param(200, marks=pytest.mark.long)])
def test_threads_share_the_kernel(times, tally):
    """Every function at once, from many threads, each with its own numbers."""
    counts = tally("threads", "the kernel")
    expected = {number: tried(*case(number)) for number in range(READERS * times)}

    def work(first):
        return {number: tried(*case(number)) for number in range(first, READERS * times, READERS)}

    with ThreadPoolExecutor(READERS) as pool:
        for found in pool.map(work, range(READERS)):
            for number, outcome in found.items():
                same(outcome, expected[number], number)
                counts["right"] += 1
