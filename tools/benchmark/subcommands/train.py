"""Add ``tools/benchmark.py train``."""

from ..training.case import STEPS
from ..training.measure import TrainBenchmark, measure_training
from ..training.report import training_markdown
from .common import add_amounts, add_benchmark, add_page, progress, show


def add(commands):
    """Add the subcommand's parser."""
    amount = TrainBenchmark
    help = "updates of training beside PyTorch's; about six minutes and 4 GB of memory"
    parser = add_benchmark(commands, "train", help, _measure)
    steps = dict(nargs="+", choices=STEPS, metavar="NAME")
    parser.add_argument("--models", **steps, default=amount.models, help=f"of {', '.join(STEPS)} (default: all)")
    numbers = {
        "hidden": "widths",
        "batches": "pairs of a batch",
        "vocabulary": "entries; BERT has 30522",
        "rounds": "updates of a side at least",
        "seconds": "and for so long a case",
    }
    add_amounts(parser, amount, numbers)
    parser.add_argument(
        "--padding",
        choices=("counted", "masked"),
        default=amount.padding,
        help="of texts, as model.score_padding (default: %(default)s)",
    )
    add_page(parser, training_markdown)


def _measure(arguments):
    lists = {name: tuple(getattr(arguments, name)) for name in ("models", "hidden", "batches", "vocabulary")}
    values = {name: getattr(arguments, name) for name in ("padding", "rounds", "seconds", "threads", "seed")}
    return measure_training(TrainBenchmark(**lists, **values), show, progress)
