"""How many candidates of the first stage find which share of the exact best: measured on queries that were held back.

A first stage is as good as its correlation with the exact scores, and what it needs grows with the collection; so the
index itself measures, when it is built and when it has grown, and a search says only which share it wants.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...atomic import write_json
from ...fitted import correlation
from ...json_values import JsonMapping, parse_json
from ...kernel import scores
from ...kernel.cascade import ROUND, Budget
from ...kernel.lanes import decode_lanes
from ..index import Index, IndexWriter, Numbering, open_index
from ..index.manifest import LISTED
from .files import FITTED, FRAGMENTS, STAGES, read_fit

RECALLS = (0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
KS = (10, 100)  # how many best are asked for
_SPREADS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
_GROWN = 1.25  # times as many items, or as few, and what was measured is out of date
_PAIRS, _LEAST_QUERIES = 1 << 27, 64  # scores that are measured, some forty seconds on two cores; and queries at least
_KEPT = 1 << 14  # candidates of a query that are looked at
_AT_ONCE = 8  # queries
_BLOCK = 1 << 16  # vectors decoded at once


class BudgetRow(NamedTuple):
    """A measured point: of the exact ``k`` best the budget finds the share ``found``, the mean over queries, which less
    its standard error is still ``recall``; ``scored`` candidates a query are scored exactly, the mean."""

    k: int
    recall: float
    first: int
    spreads: float
    found: float
    scored: float


class Budgets(NamedTuple):
    """items: how many there were. correlation: of the first stage's scores with the exact ones, over items."""

    items: int
    queries: int
    correlation: float
    rows: tuple[BudgetRow, ...]

    def choose(self, k: int, recall: float) -> Budget | None:
        """Return the cheapest budget that was found to reach a recall for k items; None: nothing but exact search."""
        for row in self.rows:
            if row.k >= k and row.recall >= recall:
                return Budget(max(row.first, k), spreads=row.spreads)
        return None


def measure_budgets(index: Index, threads: int = 0) -> Budgets:
    """Measure the index's first stage on the queries that were held back when it was built.

    Raises InputError if a file of the stage is damaged.
    """
    stage, numbering = read_fit(index), Numbering(index.segments)
    live, queries = numbering.live, stage.held.queries()
    count = max(_LEAST_QUERIES, min(len(queries), _PAIRS // max(1, len(live))))
    vectors, queries = stage.fit.features(queries[:count]), queries[:count]
    kept = min(len(live), _KEPT)
    top_first, top_exact = np.empty((2, len(queries), kept), np.float32)
    least, correlations = {k: np.empty(len(queries), np.float32) for k in KS if k < len(live)}, []
    for begin in range(0, len(queries), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        first, exact = _scores(numbering, live, vectors[some], queries[some], threads)
        correlations += [correlation(first, exact)] * len(first)
        for k, of_k in least.items():
            of_k[some] = np.partition(exact, -k, axis=1)[:, -k]
        order = np.argpartition(-first, kept - 1, axis=1)[:, :kept]
        order = np.take_along_axis(order, np.argsort(-np.take_along_axis(first, order, 1), axis=1, kind="stable"), 1)
        top_first[some], top_exact[some] = (np.take_along_axis(side, order, 1) for side in (first, exact))
    rows = [row for k, of_k in least.items() for row in _rows(top_first, top_exact, k, of_k)]
    return Budgets(len(live), len(queries), float(np.mean(correlations)), tuple(rows))


def _scores(numbering, live, vectors, queries, threads) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores (n, N) of the first stage, and the exact ones, of queries with the live items."""
    first, exact = np.empty((2, len(queries), len(live)), np.float32)
    for places, segment, own in numbering.parts(live):
        exact[:, places] = scores(queries, segment.stored(FRAGMENTS), own, threads=threads)
        for part in np.array_split(np.arange(len(own)), -(-len(own) // _BLOCK)):
            first[:, places[part]] = vectors @ decode_lanes(segment.stored(FITTED), own[part]).T
    return first, exact


def _rows(first: np.ndarray, exact: np.ndarray, k: int, least: np.ndarray) -> list[BudgetRow]:
    """Return the cheapest budgets for k items, given the scores (n, c) of each query's candidates, best first by the
    first stage, and the k-th best exact score of all items (n,)."""
    among = np.cumsum(exact >= least[:, None], axis=1) / np.float32(k)  # the share among so many candidates
    counts = np.unique(np.geomspace(k, exact.shape[1], 64).astype(int))
    stops = {np.inf: np.full(len(exact), exact.shape[1]), **_stops(first, exact, k)}
    points = []
    for spreads, stop in stops.items():
        for count in counts:
            scored = np.minimum(stop, count)
            found = np.minimum(among[np.arange(len(exact)), scored - 1], 1)
            # The mean of these queries is that of others, give or take its standard error.
            surely = float(found.mean() - found.std() / np.sqrt(len(found)))
            point = BudgetRow(k, 0.0, int(count), spreads, float(found.mean()), float(scored.mean()))
            points.append((surely, point))
    rows = []
    for recall in RECALLS:
        reaching = [point for surely, point in points if surely >= recall]
        if reaching:
            rows.append(min(reaching, key=lambda point: (point.scored, point.first))._replace(recall=recall))
    return rows


def _stops(first: np.ndarray, exact: np.ndarray, k: int) -> dict[float, np.ndarray]:
    """Return for each number of spreads after how many candidates each query stops, as the kernel's cascade does."""
    queries, items = exact.shape
    stops = {spreads: np.full(queries, items) for spreads in _SPREADS}
    for query in range(queries):
        errors = (exact[query] - first[query]).astype(np.float64)
        best = exact[query, :0]
        for done in range(ROUND, items, ROUND):
            best = np.sort(np.concatenate([best, exact[query, done - ROUND : done]]))[-k:]
            if len(best) < k:
                continue
            needed = (best[0] - first[query, done] - errors[:done].mean()) / max(errors[:done].std(), 1e-12)
            open_ = [spreads for spreads in _SPREADS if stops[spreads][query] == items]
            for spreads in open_:
                if needed > spreads:
                    stops[spreads][query] = done
            if not open_:
                break
    return stops


def update_budgets(directory: Path, threads: int = 0) -> None:
    """Measure an index whose budgets are missing or out of date, and make them part of it.

    Raises InputError if another process writes it, or as of :func:`measure_budgets`.
    """
    index = open_index(directory)
    before = read_budgets(index)
    if not len(index) or before and 1 / _GROWN <= len(index) / before.items <= _GROWN:
        return
    budgets = measure_budgets(index, threads)
    named = _names(index)
    for path in (directory / STAGES).glob("budgets-*"):  # what was dropped before the last measurement
        if f"{STAGES}/{path.name}" not in named:
            path.unlink()
    name = f"{STAGES}/budgets-{index.commit}.json"
    rows = [{**row._asdict(), "spreads": row.spreads if row.spreads < np.inf else 0} for row in budgets.rows]
    write_json(directory / name, {**budgets._asdict(), "rows": rows})
    with IndexWriter(directory) as writer:
        writer.add_constant_files([name], dropped=[old for old in named if old != name])


def read_budgets(index: Index) -> Budgets | None:
    """Return what was measured last, or None; raises InputError if the file is damaged or missing."""
    names = _names(index)
    if not names:
        return None
    path = index.directory / names[-1]
    LISTED.check(path, index.manifest.files[names[-1]], contents=True)
    kept = parse_json(path.read_bytes(), path, "build the index again, or search with --mode exact")
    return Budgets(
        kept.whole("items", 1),
        kept.whole("queries", 1),
        _number(kept, "correlation", -1, 1),
        tuple(map(_row, kept.mappings("rows"))),
    )


def _row(kept: JsonMapping) -> BudgetRow:
    spreads = _number(kept, "spreads", 0, 100)
    return BudgetRow(
        kept.whole("k", 1),
        _number(kept, "recall", 0, 1),
        kept.whole("first", 1),
        spreads or np.inf,
        _number(kept, "found", 0, 1),
        _number(kept, "scored", 0, 1e15),
    )


def _number(kept: JsonMapping, key: str, least: float, most: float) -> float:
    value = kept.get(key)
    if type(value) not in (int, float) or not least <= value <= most:
        raise kept.damaged(key, f"expected a number from {least} to {most:g}, found {value!r}")
    return float(value)


def _names(index: Index) -> list[str]:
    return sorted(name for name in index.manifest.files if name.startswith(f"{STAGES}/budgets-"))
