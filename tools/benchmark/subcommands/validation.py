"""Add ``tools/benchmark.py validation``."""

from ..validation import ValidationBenchmark, measure_validation
from .common import add_amounts, add_benchmark, show


def add(commands):
    """Add the subcommand's parser."""
    amount = ValidationBenchmark
    parser = add_benchmark(commands, "validation", "peak memory of an evaluation; some minutes and 5 GB", _measure)
    helps = {
        "images": "of the drawn split",
        "captions": "of the drawn split",
        "hidden": "width of the model",
        "scored": "only so many captions of each of the last two batches are scored",
        "seed": "seed of everything that is drawn",
        "codes": "models measured",
    }
    add_amounts(parser, amount, helps)


def _measure(arguments):
    names = ("images", "captions", "hidden", "scored", "seed")
    values = {name: getattr(arguments, name) for name in names}
    return measure_validation(ValidationBenchmark(codes=tuple(arguments.codes), **values), show)
