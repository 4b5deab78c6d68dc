#!/usr/bin/env python
"""Measure speed and memory on this machine.

  python tools/benchmark.py data
  python tools/benchmark.py data --images photos --backbone resnet50.onnx --json data.json

data: clustering, loading of batches, memory of tools/prepare_data.py, extraction of regions.
Nothing else should run meanwhile. Temporary files are removed; TMPDIR says where they are.
"""

import os
from pathlib import Path

# Before NumPy is imported: what is measured on one core must not use more. Paddle has threads of its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from inflate_shrink.atomic import write_json
from inflate_shrink.benchmark.data import DataBenchmark, measure_data
from inflate_shrink.cli import add_command, run_tool, tool_parser
from inflate_shrink.errors import InputError
from inflate_shrink.extract.extractor import ExtractorSettings
from inflate_shrink.extract.presets import BACKBONES, DETECTORS


def main(argv):
    parser = tool_parser(__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_data,):
        add(commands)
    arguments = parser.parse_args(argv)
    result = arguments.run(arguments)
    if arguments.json:
        write_json(arguments.json, result)


def _add_benchmark(commands, name, help, measure):
    """A parser with what all subcommands have; ``measure`` takes the arguments, prints and returns the result."""
    parser = add_command(commands, name, help, measure)
    parser.add_argument("--json", metavar="FILE", help="also write the result here")
    return parser


def _add_data(commands):
    amount, settings = DataBenchmark, ExtractorSettings
    help = "clustering, loading, preparing and extracting; one to two minutes and 700 MB of temporary files"
    parser = _add_benchmark(commands, "data", help, _data)
    parser.add_argument("--clustered", type=int, default=amount.clustered, metavar="N", help="images clustered (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=amount.steps, metavar="N", help="training steps of each model (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=amount.sizes, metavar="N", help="images prepared (default: 1000 10000)")
    parser.add_argument("--images", default="", metavar="DIR", help="photos for extraction: a folder or a .zip archive")
    parser.add_argument("--backbone", default="", metavar="FILE", help="network that describes them, as of tools/extract_regions.py")
    parser.add_argument("--backbone-preset", choices=BACKBONES, default=settings.backbone_preset, help="(default: %(default)s)")
    parser.add_argument("--detector", default="", metavar="FILE", help="network that proposes boxes; without it, grid cells")
    parser.add_argument("--detector-preset", choices=DETECTORS, default=settings.detector_preset, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=amount.seconds, help="of extraction (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=amount.seed, help="of everything drawn (default: %(default)s)")


def _data(arguments):
    if bool(arguments.images) != bool(arguments.backbone) or (arguments.detector and not arguments.backbone):
        raise InputError("extraction needs --images DIR and --backbone FILE; give both, or neither and no --detector")
    amount = DataBenchmark(arguments.clustered, arguments.steps, tuple(arguments.sizes), arguments.seconds, arguments.seed)
    extractor = None
    if arguments.backbone:
        extractor = ExtractorSettings(arguments.backbone, arguments.backbone_preset, arguments.detector, arguments.detector_preset)
    prepare_tool = Path(__file__).resolve().with_name("prepare_data.py")
    return measure_data(amount, prepare_tool, arguments.images, extractor, lambda text: print(text, flush=True))


if __name__ == "__main__":
    run_tool(main)
