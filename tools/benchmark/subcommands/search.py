"""Add ``tools/benchmark.py search``."""

from ..search.measure import SECTIONS, SearchBenchmark, measure_search
from ..search.report import search_markdown
from .common import add_amounts, add_benchmark, add_page, progress, show


def add(commands):
    """Add the subcommand's parser."""
    amount = SearchBenchmark
    help = (
        "the kernel beside the arithmetic limit, exact peers and faiss; "
        "about eight minutes and 20 GB of memory, less where there is less"
    )
    parser = add_benchmark(commands, "search", help, _measure)
    numbers = {
        "images": "for the share of the limit",
        "peer_images": "beside exact peers",
        "dims": "beside exact peers",
        "vectors": "beside faiss",
        "rounds": "turns of every contestant",
    }
    add_amounts(parser, amount, numbers)
    parser.add_argument(
        "--peers",
        nargs="+",
        default=amount.peers,
        metavar="NAME",
        help="only these, or MODULE:CLASS of your own (default: all)",
    )
    parser.add_argument(
        "--sections", nargs="+", choices=SECTIONS, default=SECTIONS, help="what is measured (default: all)"
    )
    add_page(parser, search_markdown)


def _measure(arguments):
    names = ("images", "peer_images", "dims", "vectors", "peers", "sections", "threads", "rounds", "seed")
    values = {name: getattr(arguments, name) for name in names}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, (list, tuple))}
    return measure_search(SearchBenchmark(**{**values, **lists}), show, progress)
