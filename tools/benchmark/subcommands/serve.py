"""Add ``tools/benchmark.py serve``."""

from ..serving import ServingBenchmark, measure_serving
from .common import add_amounts, add_benchmark, show


def add(commands):
    """Add the subcommand's parser."""
    amount = ServingBenchmark
    parser = add_benchmark(commands, "serve", "tools/serve.py under load on loopback; a minute", _measure)
    parser.add_argument("--index", nargs="+", required=True, metavar="DIR", help="as of tools/serve.py")
    helps = {
        "clients": "that ask at once",
        "seconds": "of the load",
        "think": "seconds between a client's requests, on average",
        "queries": "different ones",
        "k": "hits of each",
        "concurrent": "searches at once, as of tools/serve.py",
        "waiting": "that wait, as of tools/serve.py",
        "threads": "cores for a search; 0: all",
        "seed": "seed of everything that is drawn",
    }
    add_amounts(parser, amount, helps)
    parser.set_defaults(names=tuple(helps))


def _measure(arguments):
    values = {name: getattr(arguments, name) for name in arguments.names}
    return measure_serving(arguments.index, ServingBenchmark(**values), show)
