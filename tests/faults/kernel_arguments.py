"""Arguments of the kernel at random: most of them right, many nearly."""

import numpy as np

import inflate_shrink  # noqa: F401  first, as everywhere
from inflate_shrink.errors import InputError
from inflate_shrink.kernel import (
    PRECISIONS,
    StoredFragments,
    as_items,
    best_positions,
    centroid_scores,
    centroid_table,
    decode_rows,
    encode_rows,
    nearest_centroids,
    scores,
)
from inflate_shrink.kernel.cascade import Budget, Cascade, CascadePart, VectorMaker
from inflate_shrink.kernel.lanes import LaneVectors, encode_lanes, interleave

ODD = (None, "x", -1, 0, 1, 2, 7, 1024, 1025, 2**31, 2**63, 10**30, 0.5, True, [], np.float32(2), np.int16(3))
REFUSED = "refused"


class Draw:
    """What is drawn of one number; an argument is odd one time in ``rarely``."""

    def __init__(self, number):
        self.random = np.random.default_rng(number)

    def whole(self, least, most):
        return int(self.random.integers(least, most + 1))

    def of(self, values):
        return values[self.whole(0, len(values) - 1)]

    def seldom(self, rarely=14):
        return self.whole(1, rarely) == 1

    def vectors(self, rows, dim):
        """(rows, dim) float32, or of another type, order, shape, or with a number that is none."""
        made = (self.random.standard_normal((rows, dim)) / max(1, dim) ** 0.5).astype(np.float32)
        way = self.whole(0, 40)
        if way == 0:
            made = made.astype(self.of(("f8", "f2", "i4", "u1", "c8", "?", "O", "U3")))
        elif way == 1:
            made = np.asfortranarray(made)
        elif way == 2:
            made = np.repeat(made, 2, 0)[::2]
        elif way == 3:
            made = made[:, :-1]
        elif way == 4:
            made = made[None] if self.seldom(2) else made.ravel()
        elif way == 5 and made.size:
            made[self.whole(0, rows - 1), self.whole(0, dim - 1)] = self.of((np.nan, np.inf, -np.inf, 1e15, 1e-30))
        elif way == 6:
            made = self.of((made.tolist(), None, "x", made[:0], made[:, :0]))
        return made

    def offsets(self, items, rows):
        """(items + 1,) int64 from 0 to ``rows``, or nearly."""
        made = np.sort(self.random.integers(0, rows + 1, items + 1)).astype(np.int64)
        made[0], made[-1] = 0, rows
        way = self.whole(0, 30)
        if way == 0:
            made[self.whole(0, items)] = self.of((-1, rows + 1, 2**31, 2**62, -(2**62)))
        elif way == 1:
            self.random.shuffle(made)
        elif way == 2:
            made = made.astype(self.of(("i4", "u8", "f4", "i1")))
        elif way == 3:
            made = self.of((made[:0], made[None], np.repeat(made, 2)[::2], made.tolist(), None, made[:-1]))
        return made

    def chosen(self, items):
        if self.whole(0, 2):
            return None
        made = self.random.integers(0, max(1, items), self.whole(0, 2 * items))
        if self.seldom():
            made = self.of((made - 1, made + 1, made.astype("f4"), made.astype("i4"), made[::-1], made[None], "x"))
        return made

    def threads(self):
        return self.of(ODD) if self.seldom() else self.whole(0, 3)

    def stored(self, dim, items, precision=None, center=True):
        """The fragments of some items, and how they are made wrong."""
        precision = precision or self.of(PRECISIONS)
        rows = self.whole(items, 4 * items)
        plain = (self.random.standard_normal((rows, dim)) / dim**0.5).astype(np.float32)
        center = plain.mean(0) if center and rows and self.seldom(3) else None
        values, scales = encode_rows(plain, precision, center=center)
        if self.seldom(20):
            values = self.of(
                (values[:-1], values[:, :-1], values.astype("f8"), values[None], np.repeat(values, 2, 0)[::2])
            )
        if self.seldom(20):
            scales = self.of((None, np.ones(rows, "f4"), np.ones(rows + 1, "f4"), np.full(rows, np.nan, "f4")))
        if self.seldom(30):
            dim = self.of((dim + 1, dim - 1, 0, -1, 2**40))
        if self.seldom(30):
            precision = self.of(("int4", "", None, *PRECISIONS))
        return StoredFragments(values, scales, self.offsets(items, rows), precision, dim, center)


def _scores(draw):
    dim, items = draw.whole(1, 70), draw.whole(0, 12)
    rows = draw.stored(dim, items)
    queries = [draw.vectors(draw.whole(0, 40), dim) for _ in range(draw.whole(0, 5))]
    stored = draw.of(("image", "text") if not draw.seldom(30) else ("images", "", None))
    chosen, threads = draw.chosen(items), draw.threads()
    return lambda path: scores(queries, rows, chosen, stored, threads, path)


def _encode(draw):
    vectors, precision = draw.vectors(draw.whole(0, 40), draw.whole(0, 70)), draw.of((*PRECISIONS, *PRECISIONS, "int4"))
    threads = draw.threads()
    finite = np.asarray(vectors).dtype.kind == "f" and not np.isfinite(np.asarray(vectors)).all()
    if finite:
        vectors = np.nan_to_num(vectors, nan=1, posinf=2, neginf=-2)  # rounding of what is no number is no promise
    return lambda path: encode_rows(vectors, precision, threads)


def _decode(draw):
    rows = draw.stored(draw.whole(1, 70), draw.whole(0, 12))
    return lambda path: decode_rows(rows.values, rows.scales, rows.precision, rows.dim, rows.center)


def _nearest(draw):
    dim = draw.whole(1, 40)
    vectors, centroids, threads = (
        draw.vectors(draw.whole(0, 40), dim),
        draw.vectors(draw.whole(0, 30), dim),
        draw.threads(),
    )
    return lambda path: nearest_centroids(vectors, centroids, threads)


def _centroids(draw):
    dim, items, count = draw.whole(1, 40), draw.whole(0, 12), draw.whole(1, 40)
    query, threads, rows = draw.vectors(draw.whole(0, 70), dim), draw.threads(), draw.whole(items, 4 * items)
    centroids = as_items(draw.random.standard_normal((count, dim)).astype(np.float32), draw.of(PRECISIONS))
    nearest = draw.random.integers(0, count, rows).astype(np.uint16 if not draw.seldom() else "i8")
    if draw.seldom() and len(nearest):
        nearest[0] = 65535
    offsets, chosen = draw.offsets(items, rows), draw.chosen(items)

    def run(path):
        table = centroid_table(query, centroids, threads, path)
        found = centroid_scores(table, nearest, offsets, chosen, threads, path)
        return (found - np.float32(table.offset)) / np.float32(table.step)  # a sum of bytes

    return run


def _best(draw):
    found = draw.vectors(1, draw.whole(1, 3000))
    found = found.ravel() if isinstance(found, np.ndarray) and not draw.seldom(30) else found
    if isinstance(found, np.ndarray) and found.dtype == np.float32:
        found = np.where(np.isnan(found), 0, np.round(found * draw.of((1, 1000))))  # many are equal
    count = draw.of(ODD) if draw.seldom() else draw.whole(0, 40)
    return lambda path: best_positions(found, count)


def _cascade(draw):
    dim, rank, parts = draw.whole(1, 20), draw.whole(1, 12), []
    bits, precision, pooled = draw.of((8, 4)), draw.of(PRECISIONS), draw.whole(0, 1)
    for _ in range(draw.whole(1, 3)):
        items = draw.whole(1, 40)
        rows, found = encode_lanes(draw.random.standard_normal((items, rank)).astype(np.float32), bits)
        scales = np.zeros((-(-items // 16), 16), np.float32)
        scales.reshape(-1)[:items] = found
        first = LaneVectors(interleave(rows), scales, items + draw.seldom(40), rank, bits)
        skipped = draw.random.random(items) < 0.3 if draw.seldom(3) else None
        few = draw.stored(dim, items, "int8", center=False) if pooled else None
        parts.append(CascadePart(first, draw.stored(dim, items, precision, center=False), few, skipped))
    directions = draw.random.standard_normal((draw.whole(0, 20), dim)).astype(np.float32)
    projection = draw.random.standard_normal((dim + len(directions), rank)).astype(np.float32)
    first, k = draw.whole(1, 60), draw.whole(1, 12)
    budget = Budget(first, min(first, draw.whole(1, 30)) if pooled else 0, draw.of((np.inf, 0.0, 1.0)))
    if draw.seldom():
        k, budget = draw.of(ODD), Budget(draw.of(ODD), draw.of(ODD), draw.of((np.inf, -1.0, np.nan)))
    query, merged = draw.vectors(draw.whole(0, 8), dim), draw.vectors(draw.whole(1, 3), dim) if pooled else None
    stored, threads = draw.of(("image", "text")), draw.threads()

    whole = all(_whole(stored) for part in parts for stored in (part.rows, part.pooled) if stored is not None)

    def run(path):
        cascade = Cascade(VectorMaker(directions, projection), parts, stored, threads, path)
        try:
            found = cascade.search(query, k, budget, merged=merged).scores
        except InputError:
            if whole:
                raise
            found = np.empty(0, np.float32)  # whether it meets an item whose rows are not there is its luck
        return found if budget.spreads == np.inf and not pooled and first >= 60 and whole else found[:0]

    return run


def _whole(stored):
    """Whether all items have rows that are there."""
    offsets = stored.offsets
    if (
        not isinstance(offsets, np.ndarray)
        or not isinstance(stored.values, np.ndarray)
        or offsets.dtype.kind not in "iu"
    ):
        return False
    inside = offsets.ndim == 1 and len(offsets) and (np.diff(offsets.astype(np.int64)) >= 0).all()
    return bool(inside) and 0 <= offsets[0] and offsets[-1] <= len(stored.values)


ANY = {
    "scores": _scores,
    "encode_rows": _encode,
    "decode_rows": _decode,
    "nearest_centroids": _nearest,
    "centroid_scores": _centroids,
    "best_positions": _best,
    "Cascade.search": _cascade,
}


OFF = {"centroid_scores": 2}  # bytes that are rounded otherwise; of all others an error of floating point


def case(number, name=None):
    """A function of the path to compute by, and the name of what it calls."""
    draw = Draw(number)
    name = name or draw.of(list(ANY))
    return ANY[name](draw), name


def tried(run, name, path=""):
    """What came out: an array, a tuple of arrays, or REFUSED; any other exception is a fault."""
    with np.errstate(all="ignore"):
        try:
            return run(path)
        except (InputError, ValueError) as error:
            assert "\n" not in str(error) or not isinstance(error, InputError), error
            return REFUSED
        except TypeError:
            return REFUSED


def same(found, expected, number, off=1e-4):
    """Raise AssertionError unless two outcomes are as near as rounding lets them be, no numbers where none are expected."""
    if isinstance(found, str) or isinstance(expected, str):
        assert found is expected, f"case {number}: {found} {expected}"
        return
    for ours, theirs in zip(
        *((outcome if isinstance(outcome, tuple) else (outcome,)) for outcome in (found, expected))
    ):
        if ours is None and theirs is None:
            continue
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype, f"case {number}"
        none = np.isnan(theirs)
        assert not np.isfinite(ours[none]).any(), f"case {number}"
        np.testing.assert_allclose(ours[~none], theirs[~none], rtol=1e-4, atol=off, err_msg=f"case {number}")
