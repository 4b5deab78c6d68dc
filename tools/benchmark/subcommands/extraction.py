"""Add ``tools/benchmark.py extraction``."""

from functools import partial

from inflate_shrink.cli import at_once
from inflate_shrink.extract.extractor import ExtractorSettings

from ..backbones import measure_backbones
from .common import add_benchmark, show


def add(commands):
    """Add the subcommand's parser."""
    help = "backbones beside each other, by photos at once and threads; some three seconds each way"
    parser = add_benchmark(commands, "extraction", help, partial(measure_backbones, show=show))
    parser.add_argument("--images", required=True, metavar="DIR", help="photos: a folder or a .zip archive")
    parser.add_argument(
        "--backbone", required=True, nargs="+", metavar="NAME|FILE", help="networks, as of tools/extract_regions.py"
    )
    random = "draw the weights of networks by name, in place of downloading them: they take as long"
    parser.add_argument("--random-weights", action="store_true", help=random)
    size = "pixels of a photo's shorter side (default: %(default)s)"
    parser.add_argument("--size", type=int, default=ExtractorSettings.size, help=size)
    batch = "photos at once (default: 1 8)"
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8], metavar="N", help=batch)
    threads = "of the network (default: 1 2)"
    parser.add_argument("--threads", type=at_once, nargs="+", default=[1, 2], metavar="N", help=threads)
    parser.add_argument("--seconds", type=float, default=3.0, help="each way (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything that is drawn (default: %(default)s)")
