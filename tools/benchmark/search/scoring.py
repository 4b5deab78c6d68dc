"""Milliseconds of scoring a collection by one query (Table 4): on the CPU by our kernel, and on a GPU, if any."""

from __future__ import annotations

import shutil
from typing import Callable, NamedTuple, Sequence

from inflate_shrink import kernel

from ..environment import workspace
from .drawn import draw_query, draw_rows, first_items, items_that_fit, stored_bytes
from .timing import best_and_median, milliseconds
from .worker import Worker, WorkerError

PRECISIONS = ("int8", "bfloat16", "float32")
ON_DISK = "int8"  # the only precision that is measured beyond memory
_REPEATS = 20
_DISK_LEFT = 1 << 30  # bytes that stay free


class Shape(NamedTuple):
    """What a model's scoring costs: ``fragments`` on each side, of ``dim`` dimensions."""

    model: str
    fragments: int
    dim: int


def measure_scoring(
    shapes: Sequence[Shape],
    candidates: Sequence[int],
    threads: int,
    seed: int,
    *,
    seconds: float = 1.5,
    show: Callable[[str], None] = lambda text: None,
) -> list[dict]:
    """Measure every model, precision and number of candidates on the CPU.

    A collection that does not fit into memory is written to a temporary file and memory-mapped, in int8 only, and
    then measured as it comes from the disk.

    Returns:
        Dicts with ``model``, ``fragments``, ``dim``, ``precision``, ``candidates``, ``bytes``; ``stored``, "memory" or
        "disk", with ``ms``, ``median_ms`` and ``calls``; or ``stored`` None with a ``reason``.
    """
    found = []
    for shape in shapes:
        for precision in PRECISIONS:
            found += _of_precision(shape, precision, sorted(candidates), threads, seed, seconds, show)
    return found


def _of_precision(
    shape: Shape, precision: str, candidates: list[int], threads: int, seed: int, seconds: float, show
) -> list[dict]:
    model, fragments, dim = shape
    sizes = {count: stored_bytes(count, fragments, dim, precision) for count in candidates}
    fit = items_that_fit(max(candidates), stored_bytes(1, fragments, dim, precision))
    in_memory = [count for count in candidates if count <= fit]
    query, found = draw_query(fragments, dim, seed), []

    def measure(rows: kernel.StoredFragments) -> dict:
        return best_and_median(milliseconds(lambda: kernel.scores([query], rows, threads=threads), _REPEATS, seconds))

    if in_memory:
        show(f"scoring, {model}, {precision}: drawing {in_memory[-1]} candidates")
        drawn = draw_rows(in_memory[-1], fragments, dim, precision, seed)
    for count in candidates:
        entry = {**shape._asdict(), "precision": precision, "candidates": count, "bytes": sizes[count]}
        if count in in_memory:
            show(f"scoring, {model}, {precision}: {count} candidates")
            found.append({**entry, "stored": "memory", **measure(first_items(drawn, count))})
            continue
        drawn = None  # its memory is the system's again
        reason = _no_file(precision, sizes[count])
        if reason:
            found.append({**entry, "stored": None, "reason": reason})
            continue
        show(f"scoring, {model}, {precision}: writing {count} candidates, {sizes[count] / 1e9:.1f} GB")
        with workspace() as directory:
            rows = draw_rows(count, fragments, dim, precision, seed, directory / "values")
            show(f"scoring, {model}, {precision}: {count} candidates from disk")
            found.append({**entry, "stored": "disk", **measure(rows)})
            del rows
    return found


def _no_file(precision: str, size: int) -> str:
    """Say why a collection that does not fit into memory is not measured from disk, or ""."""
    gigabytes = f"{size / 1e9:.1f} GB do not fit into memory"
    if precision != ON_DISK:
        return f"{gigabytes}; only {ON_DISK} is measured from disk"
    with workspace() as directory:
        free = shutil.disk_usage(directory).free
    return (
        "" if size + _DISK_LEFT <= free else f"{gigabytes}, nor on disk ({free / 1e9:.1f} GB free; TMPDIR says where)"
    )


class OnDevice:
    """Scoring on Paddle's default device; in a process of its own (:class:`.worker.Worker`)."""

    def __init__(self, seed: int):
        self.seed = seed

    def time(self, fused: bool, candidates: int, fragments: int, dim: int, seconds: float) -> dict:
        """Measure one query: fragments stored in bf16 (fused: in fp16), products in fp16, transfers included."""
        from inflate_shrink.search.device.fused import FusedRows
        from inflate_shrink.search.device.rows import DeviceRows

        rows = draw_rows(candidates, fragments, dim, "bfloat16", self.seed)
        on_device, query = (FusedRows if fused else DeviceRows)(rows), draw_query(fragments, dim, self.seed)
        on_device.scores([query])  # chooses kernels
        times = milliseconds(lambda: on_device.scores([query]), _REPEATS, seconds)
        return {"stored": "device" if on_device.resident else "memory", **best_and_median(times)}


def measure_scoring_on_device(
    shapes: Sequence[Shape],
    candidates: Sequence[int],
    threads: int,
    seed: int,
    *,
    seconds: float = 1.5,
    show: Callable[[str], None] = lambda text: None,
) -> list[dict]:
    """Measure the same by Paddle's operators and by the fused kernel, on Paddle's device; ``way`` is in place of
    ``precision``."""
    found = []
    for way in ("Paddle ops", "fused kernel"):
        for shape in shapes:
            for count in candidates:
                show(f"scoring on the device, {shape.model}, {way}: {count} candidates")
                size = stored_bytes(count, shape.fragments, shape.dim, "bfloat16")
                entry = {**shape._asdict(), "way": way, "candidates": count, "bytes": size}
                if items_that_fit(count, size / count) < count:
                    found.append({**entry, "stored": None, "reason": f"{size / 1e9:.1f} GB do not fit into memory"})
                    continue
                try:  # a process each: memory of the device is given back
                    with Worker(f"{__name__}:{OnDevice.__name__}", threads, {"seed": seed}) as worker:
                        measured = worker.call(
                            "time",
                            fused=way == "fused kernel",
                            candidates=count,
                            fragments=shape.fragments,
                            dim=shape.dim,
                            seconds=seconds,
                        )
                except WorkerError as error:
                    measured = {"stored": None, "reason": str(error)}
                found.append({**entry, **measured})
    return found
