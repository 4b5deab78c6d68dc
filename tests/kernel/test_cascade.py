"""A cascade in one call, against the same computed step by step from the scores of each stage."""

import threading

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import StoredFragments, encode_rows, paths, scores
from inflate_shrink.kernel.cascade import Budget, Cascade, CascadePart, VectorMaker
from inflate_shrink.kernel.lanes import LaneVectors, decode_lanes, encode_lanes, interleave
from inflate_shrink.kernel.stored import round_to

DIM, RANK, ROWS, POOLED = 20, 12, 5, 2
SIZES = (100, 1, 70)  # items of the parts: no whole blocks
CENTER = np.linspace(-1, 1, DIM, dtype=np.float32)


def part_of(items, random, bits=8, precision="int8", skipped=None):
    def stored(rows, precision, center=None):
        vectors = random.normal(size=(items * rows, DIM)).astype(np.float32)
        offsets = np.arange(items + 1) * rows
        return StoredFragments(*encode_rows(vectors, precision, center=center), offsets, precision, DIM, center)

    rows, found = encode_lanes(random.normal(size=(items, RANK)).astype(np.float32), bits)
    scales = np.zeros((-(-items // 16), 16), np.float32)
    scales.reshape(-1)[:items] = found
    first = LaneVectors(interleave(rows), scales, items, RANK, bits)
    center = CENTER if precision == "int8" else None
    return CascadePart(first, stored(ROWS, precision, center), stored(POOLED, "int8"), skipped)


@pytest.fixture(scope="module", params=[(8, "int8"), (4, "int8"), (8, "float32")], ids=str)
def parts(request):
    random = np.random.default_rng(1)
    return [part_of(items, random, *request.param) for items in SIZES]


@pytest.fixture(scope="module")
def query():
    """Fragments, what stands beside them, and merged fragments."""
    random = np.random.default_rng(2)
    fragments, beside = random.normal(size=(6, DIM)).astype(np.float32), random.normal(size=2).astype(np.float32)
    return fragments, beside, fragments.reshape(3, 2, DIM).sum(1)


@pytest.fixture(scope="module")
def maker():
    random = np.random.default_rng(9)
    projection = random.normal(size=(DIM + 150 + 2, RANK)).astype(np.float32)
    return VectorMaker(np.sign(random.normal(size=(150, DIM))).astype(np.float32), projection, 2)


def of_first(maker, parts, query):
    """Return the scores of all items by the vectors."""
    fragments, beside, _ = query
    products = round_to(fragments, "int8") @ maker.directions.T
    raw = np.concatenate([fragments.sum(0), np.maximum(products, 0).sum(0), beside])
    vector = round_to((raw @ maker.projection)[None], "int8")[0]
    return np.concatenate([decode_lanes(part.first, np.arange(len(part.first))) @ vector for part in parts])


def of_all(maker, parts, query):
    """Return the scores of all items by the vectors, the pooled rows and all rows."""
    fragments, _, merged = query
    pooled = np.concatenate([scores([merged], part.pooled)[0] for part in parts])
    return of_first(maker, parts, query), pooled, np.concatenate([scores([fragments], part.rows)[0] for part in parts])


@pytest.mark.parametrize("path", paths())
def test_each_stage_leaves_its_best(maker, parts, query, path):
    fragments, beside, merged = query
    first, pooled, exact = of_all(maker, parts, query)
    cascade = Cascade(maker, parts, path=path)
    assert len(cascade) == sum(SIZES)

    chosen = np.argsort(-first)[:60]
    best = chosen[np.argsort(-exact[chosen])][:10]
    found = cascade.search(fragments, 10, Budget(60), beside)
    assert found.numbers.tolist() == best.tolist() and found.counted == (60, 60, 60)
    np.testing.assert_allclose(found.scores, exact[best], rtol=1e-4)

    chosen = chosen[np.argsort(-pooled[chosen])][:25]
    best = chosen[np.argsort(-exact[chosen])][:10]
    found = cascade.search(fragments, 10, Budget(60, 25), beside, merged)
    assert found.numbers.tolist() == best.tolist() and found.counted == (60, 25, 25)

    found = cascade.search(fragments, 200, Budget(200), beside)  # more than there are
    assert found.numbers.tolist() == np.argsort(-exact).tolist()


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("sampled", [False, True])
def test_the_best_of_many_are_found_wherever_they_lie(maker, query, path, sampled):
    random, items = np.random.default_rng(6), 9000
    numbers, scales = encode_lanes(random.normal(size=(items, RANK)).astype(np.float32), 8)
    row = encode_rows(np.ones((1, DIM), np.float32), "int8")
    rows = StoredFragments(*row, np.array([0] * items + [1]), "int8", DIM)  # only the last item has one

    def part(order):
        padded = np.pad(scales[order], (0, -items % 16)).reshape(-1, 16)
        return CascadePart(LaneVectors(interleave(numbers[order]), padded, items, RANK, 8), rows)

    order = np.arange(items)
    first = of_first(maker, [part(order)], query)
    if sampled:  # all of the best lie in the blocks that the kernel looks at before it scans
        blocks = np.arange(64) * (-(-items // 16) // 64)
        best = np.argsort(-first)
        seen = (blocks[:, None] * 16 + np.arange(16)).ravel()
        order = np.full(items, -1)
        order[seen] = best[: len(seen)]
        order[order < 0] = best[len(seen) :]
        first = first[order]
    found = Cascade(maker, [part(order)], path=path).search(query[0], 60, Budget(60), query[1])
    assert sorted(found.numbers.tolist()) == sorted(np.argsort(-first)[:60].tolist())


@pytest.mark.parametrize("path", sorted({paths()[0], "numpy"}))
def test_no_more_is_scored_when_the_rest_is_expected_to_fall_short(maker, query, path):
    part = part_of(200, np.random.default_rng(3))
    fragments, beside, _ = query
    first, _, exact = of_all(maker, [part], query)
    order = np.argsort(-first)

    def needed(done):
        """Return by how many spreads the next one would have to be better than expected."""
        errors = (exact - first)[order[:done]]
        return (np.sort(exact[order[:done]])[-5] - first[order[done]] - errors.mean()) / errors.std()

    spreads = needed(32) + 0.01
    done = next(done for done in (64, 96, 128, 150) if done == 150 or needed(done) > spreads)
    assert done < 150  # or this tests nothing
    found = Cascade(maker, [part], path=path).search(fragments, 5, Budget(150, spreads=spreads), beside)
    assert found.counted == (150, 150, done)
    assert found.numbers.tolist() == order[:done][np.argsort(-exact[order[:done]])][:5].tolist()


@pytest.mark.parametrize("path", sorted({paths()[0], "numpy"}))
def test_skipped_items_are_not_found(maker, parts, query, path):
    fragments, beside, _ = query
    first, _, exact = of_all(maker, parts, query)
    best = np.argsort(-exact)[:20]
    flags = np.zeros(len(exact), bool)
    flags[best[::2]] = True
    cuts = np.cumsum(SIZES)[:-1]
    skipped = np.split(flags, cuts)
    found = Cascade(maker, parts, path=path).search(fragments, 10, Budget(150), beside=beside, skipped=skipped)
    assert found.numbers.tolist() == [item for item in np.argsort(-exact) if not flags[item]][:10]
    assert len(
        Cascade(maker, parts, path=path)
        .search(fragments, 10, Budget(20), beside=beside, skipped=[~f for f in skipped])
        .numbers
    )


@pytest.mark.parametrize("path", sorted({paths()[0], "numpy"}))
def test_captions_are_scored_by_the_best_fragment_of_each_row(maker, parts, query, path):
    fragments, beside, _ = query
    exact = np.concatenate([scores([fragments], part.rows, stored="text")[0] for part in parts])
    found = Cascade(maker, parts, "text", path=path).search(fragments, 10, Budget(171), beside)
    assert found.numbers.tolist() == np.argsort(-exact)[:10].tolist()
    np.testing.assert_allclose(found.scores, np.sort(exact)[::-1][:10], rtol=1e-4)


def test_any_number_of_threads_and_callers_finds_the_same(maker, query):
    random = np.random.default_rng(4)
    parts = [part_of(items, random) for items in (3000, 40)]
    fragments, beside, merged = query
    budget = Budget(300, 100, spreads=2.0)
    expected = Cascade(maker, parts, threads=1).search(fragments, 10, budget, beside, merged)
    shared, wrong = Cascade(maker, parts, threads=4), []

    def search():
        for _ in range(50):
            found = shared.search(fragments, 10, budget, beside, merged)
            same = found.numbers.tolist() == expected.numbers.tolist() and found.counted == expected.counted
            wrong.extend([] if same else [found])

    callers = [threading.Thread(target=search) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


@pytest.mark.parametrize("path", sorted({paths()[0], "numpy"}))
def test_damaged_numbers_do_no_harm(maker, query, path):
    fragments, beside, _ = query
    part = part_of(40, np.random.default_rng(5))
    part.first.scales.reshape(-1)[:20] = np.nan
    part.rows.scales[100:110] = np.nan  # of items 20 and 21
    found = Cascade(maker, [part], path=path).search(fragments, 20, Budget(20), beside)
    assert (
        len(set(found.numbers.tolist())) == len(found.numbers) and sorted(found.scores)[::-1] == found.scores.tolist()
    )
    part.rows.offsets[30] = 10**12
    with pytest.raises(InputError, match="rows that are not there"):
        Cascade(maker, [part], path=path).search(fragments, 40, Budget(40), beside)


def test_refused(maker, parts, query):
    fragments, beside, merged = query
    cascade = Cascade(maker, parts)
    for wrong, message in (
        (dict(k=11, budget=Budget(10)), "no 11 best"),
        (dict(k=5, budget=Budget(10, 20), merged=merged), "no 5 best"),
        (dict(k=5, budget=Budget(20, 10)), "no merged fragments"),
        (dict(k=0, budget=Budget(20)), "no 0 best"),
        (dict(k=5, budget=Budget(20), beside=beside[1:]), r"beside a query's fragments are an array \(2\)"),
        (dict(k=5, budget=Budget(20), fragments=fragments[:0]), "1 or more fragments"),
        (dict(k=5, budget=Budget(20), fragments=fragments * np.nan), "NaN or infinite"),
        (dict(k=5, budget=Budget(20), skipped=[np.zeros(3, bool)]), "for 1 parts, there are 3"),
    ):
        with pytest.raises(InputError, match=message):
            cascade.search(**{"fragments": fragments, "beside": beside, **wrong})
    with pytest.raises(InputError, match="differ"):
        Cascade(maker, [*parts, part_of(3, np.random.default_rng(0), 4 if parts[0].first.bits == 8 else 8)])
    with pytest.raises(InputError, match="differ"):
        Cascade(maker, [])
