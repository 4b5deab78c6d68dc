"""Add ``tools/benchmark.py latency``."""

from pathlib import Path

from ..search.latency import LatencyBenchmark, measure_latency
from ..search.latency_report import latency_markdown
from .common import add_benchmark, add_page, progress, show


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
    parser.add_argument(
        "--candidates",
        type=int,
        nargs="+",
        default=amount.candidates,
        metavar="N",
        help="candidates that are scored (default: 1000 10000 100000 1000000)",
    )
    parser.add_argument(
        "--pairs",
        type=int,
        default=amount.pairs,
        metavar="N",
        help="scored by the cross-BERT, the rest is extrapolated (default: %(default)s)",
    )
    add_page(parser, latency_markdown)


def _measure(arguments):
    candidates = tuple(sorted(set(arguments.candidates)))
    amount = LatencyBenchmark(
        tuple(arguments.models), arguments.cross, candidates, arguments.pairs, arguments.threads, arguments.seed
    )
    return measure_latency(amount, show, progress)
