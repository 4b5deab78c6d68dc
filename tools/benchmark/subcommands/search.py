"""Add ``tools/benchmark.py search``."""

from ..search.measure import SECTIONS, SearchBenchmark, measure_search
from ..search.report import search_markdown
from .common import add_benchmark, add_page, progress, show


def add(commands):
    """Add the subcommand's parser."""
    amount = SearchBenchmark
    help = (
        "the kernel beside the arithmetic limit, exact peers and faiss; "
        "about eight minutes and 20 GB of memory, less where there is less"
    )
    parser = add_benchmark(commands, "search", help, _measure)
    parser.add_argument(
        "--images",
        type=int,
        default=amount.images,
        metavar="N",
        help="for the share of the limit (default: %(default)s)",
    )
    parser.add_argument(
        "--peer-images",
        type=int,
        default=amount.peer_images,
        metavar="N",
        help="beside exact peers (default: %(default)s)",
    )
    parser.add_argument(
        "--dims",
        type=int,
        nargs="+",
        default=amount.dims,
        metavar="D",
        help="beside exact peers (default: 768 256 128)",
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        default=amount.peers,
        metavar="NAME",
        help="only these, or MODULE:CLASS of your own (default: all)",
    )
    parser.add_argument(
        "--vectors",
        type=int,
        nargs="+",
        default=amount.vectors,
        metavar="N",
        help="beside faiss (default: 100000 500000)",
    )
    parser.add_argument(
        "--sections", nargs="+", choices=SECTIONS, default=SECTIONS, help="what is measured (default: all)"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=amount.rounds,
        metavar="N",
        help="turns of every contestant (default: %(default)s)",
    )
    add_page(parser, search_markdown)


def _measure(arguments):
    names = ("images", "peer_images", "dims", "vectors", "peers", "sections", "threads", "rounds", "seed")
    values = {name: getattr(arguments, name) for name in names}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, (list, tuple))}
    return measure_search(SearchBenchmark(**{**values, **lists}), show, progress)
