"""Our kernel's share of what the machine's multiply-add gives, measured in the same run."""

from __future__ import annotations

from typing import Callable, Sequence

from inflate_shrink import kernel
from inflate_shrink.published import published_table

from .drawn import draw_query, draw_rows, first_items, items_that_fit, stored_bytes
from .timing import best_and_median, milliseconds

TARGET = {"float32": 0.85, "bfloat16": 0.90, "int8": 0.75}  # of the limit, on the best path
PAPER_TIMES = 1.2  # exact int8 search may take so many times what the paper's V100 takes for B (Table 4)
PAPER_IMAGES, PAPER_DIM = 100_000, 768
# NumPy has no multiply-add of ours to measure. Where a multiply-add is several instructions, as in portable C++, the
# kernel shares some of them among accumulators, so that the bare operation alone, in registers, is no bound of what it
# reaches.
WITHOUT_LIMIT = ("portable", "numpy")
_OTHER_PATHS = 20  # other paths than the best score a part of the collection, one in so many


def measure_limit(
    images: int,
    threads: int,
    seed: int,
    *,
    dims: Sequence[int] = (768, 128),
    fragments: int = 32,
    rounds: int = 4,
    show: Callable[[str], None] = lambda text: None,
) -> list[dict]:
    """Measure scoring ``images`` by one query of ``fragments`` fragments, for each dimension, precision and path, best
    path first.

    Rounds of the bare multiply-add, in registers, and of the kernel take turns; the best of each counts.

    Returns:
        Dicts with ``precision``, ``dim``, ``path``, ``images`` (fewer than ``images_wanted`` where memory is short), ``ms``,
        ``median_ms``, ``operations_per_second``; ``limit`` and ``share`` of it (None: the path is of
        :data:`WITHOUT_LIMIT`); ``target`` and ``met`` of the best path, else None.
    """
    found = []
    for dim in dims:
        query = draw_query(fragments, dim, seed)
        for precision in kernel.PRECISIONS:
            fit = items_that_fit(images, stored_bytes(1, fragments, dim, precision))
            show(f"limit, {precision}, d = {dim}: drawing {fit} images")
            rows = draw_rows(fit, fragments, dim, precision, seed)
            for number, path in enumerate(kernel.paths()):
                show(f"limit, {precision}, d = {dim}: {path}")
                part = rows if number == 0 else first_items(rows, max(1, len(rows) // _OTHER_PATHS))
                entry = {
                    "precision": precision,
                    "dim": dim,
                    "path": path,
                    "images_wanted": images if number == 0 else len(part),
                    "images": len(part),
                }
                entry.update(_measure(part, path, query, threads, rounds))
                target = TARGET[precision] if number == 0 and entry["limit"] else None
                found.append({**entry, "target": target, "met": target and entry["share"] >= target})
            del rows, part  # before the next is drawn
    return found


def paper_bound(found: list[dict]) -> dict | None:
    """Set exact int8 search of 100,000 images, d = 768, beside the paper's milliseconds for B; None: that many were not
    measured."""
    best = next((entry for entry in found if (entry["precision"], entry["dim"]) == ("int8", PAPER_DIM)), None)
    if best is None or best["images"] != PAPER_IMAGES:
        return None
    paper = published_table("table4")["B"]["ms"]
    return {
        "ms": best["ms"],
        "paper_ms": paper,
        "target_ms": PAPER_TIMES * paper,
        "met": best["ms"] <= PAPER_TIMES * paper,
    }


def _measure(rows: kernel.StoredFragments, path: str, query, threads: int, rounds: int) -> dict:
    limits, times = [], []
    for _ in range(rounds):
        if path not in WITHOUT_LIMIT:
            limits.append(kernel.arithmetic_limit(rows.precision, threads, 0.2, path))
        times += milliseconds(lambda: kernel.scores([query], rows, threads=threads, path=path), 2)
    speed = 2 * len(query) * len(rows.values) * rows.dim / (min(times) / 1000)
    limit = max(limits, default=None)
    return {**best_and_median(times), "operations_per_second": speed, "limit": limit, "share": limit and speed / limit}
