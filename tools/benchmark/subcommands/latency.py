"""Add ``tools/benchmark.py latency``."""

from pathlib import Path

from ..search.latency import LatencyBenchmark, measure_latency
from ..search.latency_report import latency_markdown
from .common import add_amounts, add_benchmark, add_page, progress, show


def add(commands):
    """Add the subcommand's parser."""
    amount, configs = LatencyBenchmark, Path(__file__).resolve().parents[3] / "configs" / "coco.yaml"
    help = "Tables 3 and 4; some five minutes, and with a million candidates 50 GB of temporary files"
    parser = add_benchmark(commands, "latency", help, _measure)
    parser.add_argument(
        "--models",
        nargs="+",
        default=[f"{configs}:{name}" for name in "FBI"],
        metavar="FILE",
        help="configs (default: coco's F, B and I)",
    )
    parser.add_argument(
        "--cross",
        default=f"{configs}:C",
        metavar="FILE",
        help="config of a cross-BERT, '' for none (default: coco's C)",
    )
    numbers = {
        "candidates": "candidates that are scored",
        "pairs": "scored by the cross-BERT, the rest is extrapolated",
    }
    add_amounts(parser, amount, numbers)
    add_page(parser, latency_markdown)


def _measure(arguments):
    candidates = tuple(sorted(set(arguments.candidates)))
    amount = LatencyBenchmark(
        tuple(arguments.models), arguments.cross, candidates, arguments.pairs, arguments.threads, arguments.seed
    )
    return measure_latency(amount, show, progress)
