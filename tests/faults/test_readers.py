"""Files changed at random: whoever reads one gets a right answer or one line that names the file."""

import warnings

import pytest
from binary_readers import BINARIES
from hypothesis import given
from hypothesis import strategies as st
from mutations import EDITS, tries, variants
from text_readers import TEXTS

from inflate_shrink.errors import InputError

READERS = {**TEXTS, **BINARIES}
SHORT, LONG = 60, 10_000


@pytest.mark.parametrize("count", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_read_right_or_refused_in_one_line(name, count, tmp_path, tally):
    reader, counts = READERS[name], tally("changed file", name)
    seeds = reader.seeds(tmp_path)
    path = tmp_path / reader.name

    def outcome(data, whole):
        path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                answer = reader.read(path)
            except InputError as error:
                assert str(error).startswith((str(tmp_path), "default: ")) and "\n" not in str(error), str(error)
                return "refused"
            reader.check(answer, data, whole)
            return "right"

    @tries(count)
    @given(st.integers(0, len(seeds) - 1), EDITS)
    def changed(number, edits):
        seed = seeds[number]
        for each in variants(edits):
            counts[outcome(seed.file(seed.mutate(seed.part, each)), seed.file(seed.part))] += 1

    for seed in seeds:
        assert outcome(seed.file(seed.part), seed.file(seed.part)) == "right"  # as they are
    changed()
    if count == LONG:
        assert min(counts["refused"], counts["right"]) > LONG / 200  # neither is all that happens
