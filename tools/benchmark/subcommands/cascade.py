"""Add ``tools/benchmark.py cascade``."""

from ..search.cascade_report import cascade_markdown, draw_cascade
from ..search.cascade_settings import STAGES, CascadeBenchmark
from .common import add_amounts, add_benchmark, add_page, show


def add(commands):
    """Add the subcommand's parser."""
    amount = CascadeBenchmark
    parser = add_benchmark(
        commands, "cascade", "how fast a cascade is and how much of the exact result it finds, on real photos", _measure
    )
    parser.add_argument("--checkpoint", required=True, metavar="DIR", help="checkpoint of a bi-encoder such as B")
    parser.add_argument("--first", metavar="DIR", help="checkpoint of an F, for the first stage by vectors")
    parser.add_argument("--data", metavar="DIR", help="data set (default: the checkpoint's data.dir)")
    parser.add_argument(
        "--split", default=amount.split, metavar="NAME", help="whose captions are the queries (default: %(default)s)"
    )
    numbers = {
        "images": "photos of the data set, collages, then jittered copies; 0: the photos alone",
        "encoded": "at most so many photos and collages; the rest are jittered copies of them",
        "dim": "project fragments to so many dimensions, which keeps all products; 0: as they are",
        "queries": "captions that are searched for",
        "callers": "threads that search at once",
        "candidates": "candidates of the first stage",
    }
    add_amounts(parser, amount, numbers)
    parser.add_argument(
        "--stages",
        nargs="+",
        choices=STAGES,
        default=amount.stages,
        help="first stages that are measured (default: all)",
    )
    parser.add_argument(
        "--centroids",
        "--codes",
        type=int,
        default=amount.centroids,
        metavar="N",
        help="their number; -1: as many as suit (default: %(default)s)",
    )
    parser.add_argument("--tried", action="store_true", help="also measure what was tried and dropped")
    parser.add_argument(
        "--keep", default="", metavar="DIR", help="keep the indexes there, or take those that are there"
    )
    parser.add_argument("--figure", metavar="FILE", help="also draw the result, a .png or .svg")
    add_page(parser, cascade_markdown)


def _measure(arguments):
    from inflate_shrink.engine.checkpoint import open_checkpoint

    from ..search.cascade import measure_cascade

    names = ("split", "images", "encoded", "dim", "queries", "callers", "centroids", "tried", "seed", "threads")
    lists = {name: tuple(getattr(arguments, name)) for name in ("candidates", "stages")}
    amount = CascadeBenchmark(**lists, **{name: getattr(arguments, name) for name in names})
    checkpoint = open_checkpoint(arguments.checkpoint)
    first = open_checkpoint(arguments.first) if arguments.first else None
    result = measure_cascade(
        amount, checkpoint, first, arguments.data or checkpoint.config.data.dir, show, arguments.keep
    )
    if arguments.figure:
        draw_cascade(result, arguments.figure)
    return result
