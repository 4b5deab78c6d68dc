"""A cascade in one call: one vector of all items, then few pooled rows, then all rows, each for the best of before."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass, replace
from typing import NamedTuple, Sequence

import numpy as np

from ..errors import InputError
from .compiled import call, path_number, thread_count
from .lanes import ITEMS, LaneVectors, decode_lanes, lane_words
from .scores import BEST_FRAGMENT, BEST_ROW, scores
from .stored import PRECISIONS, StoredFragments, array_of, checked, decode_rows, encode_rows, round_to

ROUND = 32  # items that are scored before the next look at what is left, as in csrc/cascade.cpp
_BLOCK = 1 << 16  # vectors decoded at once, without the library
_NOTHING = np.empty(0, np.float32)


@dataclass(frozen=True, eq=False)
class CascadePart:
    """Some items of a collection, such as a segment of an index.

    first: their vectors. rows: their fragments. pooled: few rows of int8 in place of the fragments, or None. skipped:
    (N,) bool, those that are not to be found, or None.
    """

    first: LaneVectors
    rows: StoredFragments
    pooled: StoredFragments | None = None
    skipped: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class VectorMaker:
    """What makes of a query's fragments the vector of the first stage: their sum, the sums of max(0, product) with
    directions, and numbers beside, one after another, times a matrix.

    directions: (m, d) float32, 0 or more, which are rounded to int8. projection: (d + m + b, r) float32. beside: b.
    """

    directions: np.ndarray
    projection: np.ndarray
    beside: int = 0


class Budget(NamedTuple):
    """How many items each stage of a cascade leaves to the next.

    first: best by their vectors. pooled: best by their pooled rows, 0: no such stage. spreads: those left are scored
    best first, and their errors have a mean and a spread: no more are scored when the next one, so many spreads better
    than expected, were still below the k-th best.
    """

    first: int
    pooled: int = 0
    spreads: float = np.inf


class CascadeFound(NamedTuple):
    """The best items: numbers (k,) int64 through all parts, exact scores (k,) float32; how many items the first stage,
    the second one and the last have left or scored, and how many seconds they took."""

    numbers: np.ndarray
    scores: np.ndarray
    counted: tuple[int, int, int]
    seconds: tuple[float, float, float]


class _Part(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int64 if name in ("items", "pooled_stored", "stored") else ctypes.c_void_p)
        for name in (
            "items", "skipped", "lanes", "scales_of_lanes", "pooled", "pooled_scales", "pooled_offsets",
            "pooled_stored", "rows", "scales", "offsets", "stored",
        )
    ]  # fmt: skip


class _Collection(ctypes.Structure):
    _fields_ = [("parts", ctypes.POINTER(_Part))] + [
        (name, ctypes.c_int64)
        for name in ("count", "bits", "block_words", "pooled_words", "precision", "reduce", "row_words", "dim")
    ]


class _Features(ctypes.Structure):
    _fields_ = [
        ("directions", ctypes.c_void_p), ("direction_scales", ctypes.c_void_p), ("directions_count", ctypes.c_int64),
        ("direction_words", ctypes.c_int64), ("projection", ctypes.c_void_p), ("beside", ctypes.c_int64),
        ("rank", ctypes.c_int64),
    ]  # fmt: skip


class _Query(ctypes.Structure):
    _fields_ = [
        ("features", ctypes.POINTER(_Features)), ("beside", ctypes.c_void_p), ("merged", ctypes.c_void_p),
        ("merged_count", ctypes.c_int64), ("fragments", ctypes.c_void_p), ("bias", ctypes.c_void_p),
        ("count", ctypes.c_int64), ("kept", ctypes.c_int64), ("pooled_kept", ctypes.c_int64), ("k", ctypes.c_int64),
        ("spreads", ctypes.c_float),
    ]  # fmt: skip


class _Found(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("numbers", "scores", "counted", "seconds")]


class Cascade:
    """A collection that is searched stage by stage. Threads may share it.

    Args:
        maker: of the first stage's vector.
        parts: all with vectors of the same dimension and bits, rows of the same precision and dimension, and pooled
            rows all or none; items are numbered through them.
        stored: what the items are, "image" or "text", as of :func:`.scores.scores`.
        threads: 0: all cores this process may use. Callers at once share them, a thread each.

    Raises:
        InputError: the parts differ, or as of :func:`.scores.scores`.
    """

    def __init__(
        self,
        maker: VectorMaker,
        parts: Sequence[CascadePart],
        stored: str = "image",
        threads: int = 0,
        path: str = "",
    ):
        if stored not in ("image", "text"):
            raise InputError(f"stored items are images or texts: give 'image' or 'text', not {stored!r}")
        self._parts = [_checked(part) for part in parts]
        if len({_kind(part) for part in self._parts}) != 1:
            raise InputError("the parts of a collection differ in their dimensions, precisions or stages, or are none")
        self._stored, self._path, self._threads = stored, path_number(path), thread_count(threads)
        self._path_name = path
        self.firsts = np.cumsum([0, *(len(part.rows) for part in self._parts)])
        native = (_Part * len(self._parts))(*map(_native, self._parts))
        first, pooled, rows = self._parts[0].first, self._parts[0].pooled, self._parts[0].rows
        reduce = BEST_ROW if stored == "image" else BEST_FRAGMENT
        self._native = native
        self._maker = _checked_maker(maker, rows.dim, first.dim)
        self._directions = encode_rows(self._maker.directions, "int8")
        values, scales = self._directions
        self._features = _Features(
            values.ctypes.data, scales.ctypes.data, len(values), values.shape[1] // 4,
            self._maker.projection.ctypes.data, maker.beside, first.dim,
        )  # fmt: skip
        self._collection = _Collection(
            native, len(native), first.bits, first.words.shape[1], _words(pooled), PRECISIONS.index(rows.precision),
            reduce, _words(rows), rows.dim,
        )  # fmt: skip

    def __len__(self) -> int:
        return int(self.firsts[-1])

    def search(
        self,
        fragments: np.ndarray,
        k: int,
        budget: Budget,
        beside: np.ndarray | None = None,
        merged: np.ndarray | None = None,
        skipped: Sequence[np.ndarray] | None = None,
    ) -> CascadeFound:
        """Return the ``k`` best items for a query, best first; of equal ones the lower number.

        Args:
            fragments: (l, d) float32, 1 or more. beside: (b,) float32, where the first stage has such.
            merged: (m, d) float32, few sums of fragments that stand for them in the second stage, where there is one.
            skipped: of each part (N,) bool, items that are not to be found, in place of the part's own.

        Raises InputError if these have other shapes or are not finite, or a budget does not reach for ``k`` items.
        """
        pooled, rows = self._parts[0].pooled, self._parts[0].rows
        fragments = array_of("fragments of a query", fragments, np.float32, None, rows.dim)
        beside = array_of(
            "numbers beside a query's fragments", _NOTHING if beside is None else beside, np.float32, self._maker.beside
        )
        merged = fragments[:0] if merged is None else array_of("merged fragments", merged, np.float32, None, rows.dim)
        if not all(np.isfinite(numbers).all() for numbers in (fragments, beside, merged) if numbers.size):
            raise InputError("a query holds a number that is NaN or infinite")
        if not len(fragments):
            raise InputError("a query of a cascade has 1 or more fragments")
        _require_budget(k, budget, len(merged) if pooled is not None else 0)
        bias = np.zeros(len(fragments), np.float32) if rows.center is None else fragments @ rows.center
        shift = np.float32(bias.sum() if self._stored == "image" else 0)
        parts = self._skipping(skipped)
        if self._path is None:
            return self._with_numpy(parts, fragments, beside, k, budget, merged)
        collection, native = self._collection, None
        if skipped is not None:
            native = (_Part * len(parts))(*map(_native, parts))
            collection = _Collection.from_buffer_copy(collection)
            collection.parts = native
        query = _Query(
            ctypes.pointer(self._features), beside.ctypes.data, merged.ctypes.data, len(merged), fragments.ctypes.data, bias.ctypes.data,
            len(fragments), budget.first, budget.pooled, k, budget.spreads,
        )  # fmt: skip
        numbers, scored, counted, seconds = (
            np.empty(k, np.int64),
            np.empty(k, np.float32),
            np.empty(4, np.int64),
            np.empty(3),
        )
        found = _Found(*(array.ctypes.data for array in (numbers, scored, counted, seconds)))
        call(
            "is_cascade", ctypes.c_int(self._path), ctypes.byref(collection), ctypes.byref(query),
            ctypes.c_int(self._threads), ctypes.byref(found),
        )  # fmt: skip
        *counted, left = counted.tolist()
        return CascadeFound(numbers[:left], scored[:left] + shift, tuple(counted), tuple(seconds.tolist()))

    def _skipping(self, skipped: Sequence[np.ndarray] | None) -> list[CascadePart]:
        if skipped is None:
            return self._parts
        if len(skipped) != len(self._parts):
            raise InputError(f"items to skip are given for {len(skipped)} parts, there are {len(self._parts)}")
        return [replace(part, skipped=_flags(skip, len(part.rows))) for part, skip in zip(self._parts, skipped)]

    def _vector(self, fragments: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """Return what is multiplied with the items' vectors, (r,) float32, without the library."""
        products = round_to(fragments, "int8") @ decode_rows(*self._directions, "int8", fragments.shape[1]).T
        raw = np.concatenate([fragments.sum(0), np.maximum(products, 0).sum(0), beside])
        return round_to((raw @ self._maker.projection)[None], "int8")[0]

    def _with_numpy(self, parts, fragments, beside, k, budget, merged):
        """Compute the same without the library."""
        times = [time.perf_counter()]
        rounded = self._vector(fragments, beside)
        numbers, of_first = [], []
        for begin, part in zip(self.firsts, parts):
            chosen = np.arange(len(part.rows)) if part.skipped is None else np.flatnonzero(~part.skipped)
            numbers.append(begin + chosen)
            for block in np.split(chosen, range(_BLOCK, len(chosen), _BLOCK)):
                of_first.append(decode_lanes(part.first, block) @ rounded)
        numbers, of_first = np.concatenate(numbers), np.concatenate(of_first)
        chosen, before = _best(numbers, of_first, budget.first)
        counted = [len(chosen)]
        times.append(time.perf_counter())
        if budget.pooled:
            chosen, before = _best(chosen, self._scores(parts, chosen, "pooled", merged), budget.pooled)
        counted.append(len(chosen))
        times.append(time.perf_counter())
        found, best, errors = np.empty(0, np.float32), np.empty(0, np.int64), np.empty(0, np.float32)
        while (done := len(errors)) < len(chosen):
            if done and len(best) == k:
                if before[done] + errors.mean() + budget.spreads * errors.std() < found[-1]:
                    break
            some = chosen[done : len(chosen) if budget.spreads == np.inf else done + ROUND]
            exact = self._scores(parts, some, "rows", fragments)
            errors = np.concatenate([errors, exact - before[done : done + len(some)]])
            best, found = _best(np.concatenate([best, some]), np.concatenate([found, exact]), k)
        times.append(time.perf_counter())
        return CascadeFound(best, found, (*counted, done), tuple(np.diff(times).tolist()))

    def _scores(self, parts, numbers, field, query):
        out, of_part = np.empty(len(numbers), np.float32), np.searchsorted(self.firsts, numbers, side="right") - 1
        for number in np.unique(of_part):
            places = np.flatnonzero(of_part == number)
            rows, own = getattr(parts[number], field), numbers[places] - self.firsts[number]
            stored = "image" if field == "pooled" else self._stored
            out[places] = scores([query], rows, own, stored, self._threads, self._path_name)[0]
        return out


def _best(numbers: np.ndarray, found: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    found = np.where(np.isnan(found), -np.inf, found).astype(np.float32)
    order = np.lexsort((numbers, -found))[:count]
    return numbers[order], found[order]


def _require_budget(k: int, budget: Budget, merged: int) -> None:
    counts = (k, budget.first, budget.pooled)
    if not all(isinstance(count, (int, np.integer)) and 0 <= count < 1 << 40 for count in counts):
        raise InputError(f"k and the budgets of a cascade are whole numbers, found {k} and {tuple(budget)}")
    last = budget.pooled or budget.first
    if not 1 <= k <= last <= budget.first or not budget.spreads >= 0:
        raise InputError(f"a cascade that leaves {budget.first} and then {last} items has no {k} best; give it more")
    if budget.pooled and not merged:
        raise InputError("there are no pooled rows to score, or no merged fragments to score them with")


def _checked(part: CascadePart) -> CascadePart:
    """Return a part as the library reads it; raises InputError if it is not one."""
    first = part.first
    words, scales = (
        np.ascontiguousarray(first.words),
        array_of("scales of lanes", first.scales, np.float32, None, ITEMS),
    )
    blocks, count = -(-len(first) // ITEMS), len(part.rows)
    shape = (blocks, lane_words(first.dim, first.bits), ITEMS, 4)
    if words.dtype != np.uint8 or words.shape != shape or len(scales) != blocks or len(first) != count:
        found = f"{words.dtype} {words.shape} of {len(first)} items"
        raise InputError(f"vectors of {count} items side by side are an array {shape} of uint8, found {found}")
    rows, pooled = checked(part.rows, None)[0], part.pooled and checked(part.pooled, None)[0]
    if pooled and (pooled.precision != "int8" or pooled.dim != rows.dim or len(pooled) != count):
        raise InputError(f"pooled rows are of int8, with {rows.dim} dimensions, and of {count} items")
    return CascadePart(replace(first, words=words, scales=scales), rows, pooled, _flags(part.skipped, count))


def _checked_maker(maker: VectorMaker, dim: int, rank: int) -> VectorMaker:
    directions = array_of("directions of features", maker.directions, np.float32, None, dim)
    raw = dim + len(directions) + maker.beside
    projection = array_of("a projection of features", maker.projection, np.float32, raw, rank)
    if maker.beside < 0 or not (np.isfinite(directions).all() and np.isfinite(projection).all()):
        raise InputError("features of a query hold a number that is NaN or infinite")
    return VectorMaker(directions, projection, maker.beside)


def _flags(skipped: np.ndarray | None, count: int) -> np.ndarray | None:
    if skipped is None:
        return None
    if not isinstance(skipped, np.ndarray) or skipped.dtype != bool or skipped.shape != (count,):
        raise InputError(f"items to skip are an array ({count},) of bool")
    return np.ascontiguousarray(skipped)


def _kind(part: CascadePart) -> tuple:
    """Return what all parts of a collection have in common."""
    fields = (part.rows, *([part.pooled] if part.pooled else []))
    centers = [None if field.center is None else field.center.tobytes() for field in fields]
    return part.first.dim, part.first.bits, part.rows.precision, part.rows.dim, *centers


def _words(rows: StoredFragments | None) -> int:
    return 0 if rows is None else rows.values.shape[1] * rows.values.itemsize // 4


def _native(part: CascadePart) -> _Part:
    first, pooled, rows = part.first, part.pooled, part.rows

    def address(array: np.ndarray | None) -> int | None:
        return None if array is None else array.ctypes.data

    of_pooled = (None, None, None, 0)
    if pooled is not None:
        of_pooled = (*map(address, (pooled.values, pooled.scales, pooled.offsets)), len(pooled.values))
    return _Part(
        len(rows), address(part.skipped), address(first.words), address(first.scales), *of_pooled,
        *map(address, (rows.values, rows.scales, rows.offsets)), len(rows.values),
    )  # fmt: skip
