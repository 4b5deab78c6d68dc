"""Test this package's GPU path on the GPU at hand, and time it.

Prints the GPU's name, for each precision and shape the largest error against float64, and milliseconds for
one query of 32 fragments. ``--cpu`` tries Paddle's operators, and this script, on the CPU.

  python -m inflate_shrink.search.device.check
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from typing import Callable

import numpy as np

from ...errors import InputError

SHAPES = {  # rows of the items, fragments of the queries, dimension
    "32 x 32, d = 768": ([32] * 200, [32, 32], 768),
    "64 x 64, d = 768": ([64] * 100, [64], 768),
    "1 x 1, d = 768": ([1] * 1000, [1, 1, 1], 768),
    "ragged, d = 70": ([3, 0, 130, 1, 40, 0, 7, 128, 300, 2] * 3, [5, 32, 100, 1], 70),
    "odd, d = 33": ([7, 2, 1] * 20, [3], 33),
}
# A fragment's error, by the dtype of the products.
ALLOWED = {"float32": 1e-5, "float16": 1e-3, "bfloat16": 8e-3, "fused": 1e-4}
_REPEATS = 10


def main(argv: list[str] | None = None) -> None:
    """Compare the scores of a device with NumPy's, time them, and print both as tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true", help="Paddle's operators on the CPU")
    parser.add_argument("--items", type=int, default=100_000, help="items to time, of 32 fragments (100000)")
    parser.add_argument("--dim", type=int, default=768, help="their dimension (768)")
    arguments = parser.parse_args(argv)
    import paddle

    from ...kernel import PRECISIONS

    if not arguments.cpu and not (paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count()):
        raise InputError(
            "no GPU here, or a Paddle without CUDA: nothing was tested; --cpu tries Paddle's operators on the CPU"
        )
    paddle.set_device("cpu" if arguments.cpu else "gpu")
    print(f"{'CPU' if arguments.cpu else paddle.device.cuda.get_device_name()}, Paddle {paddle.__version__}")
    ways = _ways(arguments.cpu)
    failed = 0
    print(
        "\n| rows | products | items | stored | largest error of a fragment | allowed | |\n"
        "|---|---|---|---|---|---|---|"
    )
    for name, (lengths, query_lengths, dim) in SHAPES.items():
        for precision in PRECISIONS:
            for way, make in ways.items():
                for stored in ("image", "text"):
                    error, allowed = largest_error(make, lengths, query_lengths, dim, precision, stored), ALLOWED[way]
                    failed += error > allowed
                    verdict = "FAILED" if error > allowed else "ok"
                    print(f"| {precision} | {way} | {name} | {stored} | {error:.1e} | {allowed:.0e} | {verdict} |")
    print(
        f"\n{arguments.items} items of 32 fragments, d = {arguments.dim}, "
        "one query of 32\n\n| rows | products | ms |\n|---|---|---|"
    )
    for precision in PRECISIONS:
        rows, queries = _many(arguments.items, arguments.dim, precision)
        for way, make in ways.items():
            kept = make(rows)
            where = "" if kept.resident else ", rows not kept on the device"
            print(f"| {precision} | {way}{where} | {_milliseconds(partial(kept.scores, queries)):.2f} |")
            del kept
    if failed:
        raise InputError(
            f"{failed} of the checks above failed: do not use this GPU path here, and please report the table"
        )


def largest_error(
    make: Callable, lengths: list[int], query_lengths: list[int], dim: int, precision: str, stored: str
) -> float:
    """Return the largest error of a score against float64, for each of the fragments that are summed; NaN counts as
    infinite.

    Args:
        make: StoredFragments -> an object with ``scores(queries, stored=)``, such as :class:`.rows.DeviceRows`.
    """
    from ...kernel import decode_rows

    rows, queries = _random(lengths, query_lengths, dim, precision)
    vectors = decode_rows(rows.values, rows.scales, precision, dim).astype(np.float64)
    found, worst = make(rows).scores(queries, stored=stored), 0.0
    for q, query in enumerate(queries):
        for i, (begin, end) in enumerate(zip(rows.offsets, rows.offsets[1:])):
            if begin == end:
                error = 0.0 if found[q, i] == -np.inf else np.inf
            else:
                products = vectors[begin:end] @ query.T.astype(np.float64)
                best = products.max(0 if stored == "image" else 1)
                error = abs(found[q, i] - best.sum()) / len(best)
            worst = max(worst, np.inf if np.isnan(error) else float(error))
    return worst


def _ways(cpu: bool) -> dict[str, Callable]:
    from .rows import DeviceRows

    if cpu:
        return {"float32": lambda rows: DeviceRows(rows, "float32")}
    from paddle.device.cuda import get_device_capability

    from .cuda_library import find_or_build
    from .fused import FusedRows

    ways = {"float32": lambda rows: DeviceRows(rows, "float32"), "float16": lambda rows: DeviceRows(rows, "float16")}
    if get_device_capability()[0] >= 8:
        ways["bfloat16"] = lambda rows: DeviceRows(rows, "bfloat16")
    try:
        FusedRows(_random([1], [1], 2, "float32")[0])
        print(f"fused kernel: {find_or_build()}")
        ways["fused"] = FusedRows
    except InputError as error:
        print(f"fused kernel: none: {error}")
    return ways


def _random(lengths: list[int], query_lengths: list[int], dim: int, precision: str):
    """Return rows of random unit vectors, and queries."""
    from ...kernel import StoredFragments, encode_rows

    random = np.random.default_rng(0)
    count, asked = sum(lengths), sum(query_lengths)
    vectors = random.standard_normal((count + asked, dim), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values, scales = encode_rows(vectors[:count], precision)
    rows = StoredFragments(values, scales, np.cumsum([0, *lengths], dtype=np.int64), precision, dim)
    return rows, np.split(vectors[count:], np.cumsum(query_lengths)[:-1])


def _many(items: int, dim: int, precision: str):
    """Return rows of ``items`` items of 32 fragments, some random ones over and over, and a query."""
    from ...kernel import StoredFragments

    few, queries = _random([32] * min(items, 1000), [32], dim, precision)
    where = np.arange(items * 32) % len(few.values)
    scales = None if few.scales is None else few.scales[where]
    return StoredFragments(few.values[where], scales, np.arange(items + 1) * 32, precision, dim), queries


def _milliseconds(search: Callable) -> float:
    """Return the median time of some searches, after one that does not count; a search ends with its scores in host
    memory.
    """
    search()
    times = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        search()
        times.append(time.perf_counter() - begin)
    return float(np.median(times)) * 1e3


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
