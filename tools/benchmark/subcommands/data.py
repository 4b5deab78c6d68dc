"""Add ``tools/benchmark.py data``."""

import sys

from inflate_shrink.errors import InputError
from inflate_shrink.extract.extractor import ExtractorSettings
from inflate_shrink.extract.presets import BACKBONES, DETECTORS

from ..data import DataBenchmark, measure_data
from .common import add_amounts, add_benchmark, show


def add(commands):
    """Add the subcommand's parser."""
    amount, settings = DataBenchmark, ExtractorSettings
    help = "clustering, loading, preparing and extracting; one to two minutes and 700 MB of temporary files"
    parser = add_benchmark(commands, "data", help, _measure)
    numbers = {
        "clustered": "images clustered",
        "steps": "training updates of each model",
        "sizes": "images prepared",
        "seconds": "of extraction",
        "seed": "seed of everything that is drawn",
    }
    add_amounts(parser, amount, numbers)
    parser.add_argument("--images", default="", metavar="DIR", help="photos for extraction: a folder or a .zip archive")
    parser.add_argument(
        "--backbone", default="", metavar="FILE", help="network that describes them, as of tools/extract_regions.py"
    )
    parser.add_argument(
        "--backbone-preset",
        choices=BACKBONES,
        default=settings.backbone_preset,
        help="how pixels are scaled for it (default: %(default)s)",
    )
    parser.add_argument(
        "--detector", default="", metavar="FILE", help="network that proposes boxes; without it, grid cells"
    )
    parser.add_argument(
        "--detector-preset",
        choices=DETECTORS,
        default=settings.detector_preset,
        help="its input and output (default: %(default)s)",
    )


def _measure(arguments):
    if bool(arguments.images) != bool(arguments.backbone) or (arguments.detector and not arguments.backbone):
        raise InputError("extraction needs --images DIR and --backbone FILE; give both, or neither and no --detector")
    amount = DataBenchmark(
        arguments.clustered, arguments.steps, tuple(arguments.sizes), arguments.seconds, arguments.seed
    )
    extractor = None
    if arguments.backbone:
        extractor = ExtractorSettings(
            arguments.backbone, arguments.backbone_preset, arguments.detector, arguments.detector_preset
        )
    prepare = [sys.executable, "-m", "inflate_shrink.commands.prepare_data"]
    return measure_data(amount, prepare, arguments.images, extractor, show)
