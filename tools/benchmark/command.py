"""Measure speed and memory on this machine.

  python tools/benchmark.py data
  python tools/benchmark.py data --images photos --backbone resnet50 --json data.json
  python tools/benchmark.py extraction --images photos --backbone resnet50 mobilenet_v2
  python tools/benchmark.py search --markdown search.md
  python tools/benchmark.py cascade --checkpoint runs/flickr8k/B --first runs/flickr8k/B-F --split val
  python tools/benchmark.py latency --candidates 1000 10000 100000
  python tools/benchmark.py validation --images 5000 --captions 25000 --codes 32 96
  python tools/benchmark.py serve --index indexes/demo indexes/demo-I

data: clustering, loading of batches, memory of tools/prepare_data.py, extraction of regions.
extraction: backbones beside each other, by photos at once and threads.
search: the kernel beside the machine's limit, exact peers and faiss; pip install -e .[bench] installs those.
cascade: speed against agreement on a data set's own photos, with collages of them as distractors, or without.
latency: the paper's Tables 3 and 4, encoding a query and scoring candidates by it.
validation: peak memory of an evaluation of many images and captions.
serve: tools/serve.py asked by 200 clients for a minute, every answer compared (extra serve).
Nothing else should run meanwhile. Temporary files are removed; TMPDIR says where they are.
"""

import os
import shlex
import sys
from pathlib import Path

# Before NumPy is imported: what is measured on one core must not use more. Paddle has threads of its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from inflate_shrink.atomic import atomic_path, write_json
from inflate_shrink.cli import add_command, at_once, run_tool, tool_parser
from inflate_shrink.errors import InputError
from inflate_shrink.extract.extractor import ExtractorSettings
from inflate_shrink.extract.presets import BACKBONES, DETECTORS
from inflate_shrink.terminal import say

from .data import DataBenchmark, measure_data
from .search.cascade_report import cascade_markdown, draw_cascade
from .search.cascade_settings import STAGES, CascadeBenchmark
from .search.latency import LatencyBenchmark, measure_latency
from .search.latency_report import latency_markdown
from .search.measure import SECTIONS, SearchBenchmark, measure_search
from .search.report import search_markdown
from .subcommands import extraction, serve, validation


def main(argv):
    """Run tools/benchmark.py with the arguments ``argv``."""
    parser = tool_parser(__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_data, extraction.add, _add_search, _add_cascade, _add_latency, validation.add, serve.add):
        add(commands)
    arguments = parser.parse_args(argv)
    result = arguments.run(arguments)
    if arguments.json:
        write_json(arguments.json, result)
    if getattr(arguments, "markdown", ""):
        with atomic_path(arguments.markdown) as temporary:
            temporary.write_text(
                arguments.page(result, shlex.join(["python", "tools/benchmark.py", *argv])), encoding="utf-8"
            )


def _add_benchmark(commands, name, help, measure):
    """Add a parser with what all subcommands have; ``measure`` takes the arguments, prints and returns the result."""
    parser = add_command(commands, name, help, measure)
    parser.add_argument("--json", metavar="FILE", help="also write the result here")
    return parser


def _add_data(commands):
    amount, settings = DataBenchmark, ExtractorSettings
    help = "clustering, loading, preparing and extracting; one to two minutes and 700 MB of temporary files"
    parser = _add_benchmark(commands, "data", help, _data)
    parser.add_argument(
        "--clustered", type=int, default=amount.clustered, metavar="N", help="images clustered (default: %(default)s)"
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=amount.steps,
        metavar="N",
        help="training updates of each model (default: %(default)s)",
    )
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=amount.sizes, metavar="N", help="images prepared (default: 1000 10000)"
    )
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
    parser.add_argument(
        "--seconds", type=float, default=amount.seconds, help="seconds of extraction (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=amount.seed, help="seed of everything that is drawn (default: %(default)s)"
    )


def _data(arguments):
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
    return measure_data(amount, prepare, arguments.images, extractor, _show)


def _add_page(parser, page):
    """Add options that the pages of docs/results share; ``page`` makes one of a result and the command."""
    parser.add_argument("--markdown", metavar="FILE", help="also write the result here, as a page")
    parser.add_argument(
        "--threads",
        type=at_once,
        default=0,
        metavar="N",
        help="threads of every contestant; 0: all cores (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of everything that is drawn (default: %(default)s)")
    parser.set_defaults(page=page)


def _add_search(commands):
    amount = SearchBenchmark
    help = (
        "the kernel beside the arithmetic limit, exact peers and faiss; "
        "about eight minutes and 20 GB of memory, less where there is less"
    )
    parser = _add_benchmark(commands, "search", help, _search)
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
    _add_page(parser, search_markdown)


def _search(arguments):
    names = ("images", "peer_images", "dims", "vectors", "peers", "sections", "threads", "rounds", "seed")
    values = {name: getattr(arguments, name) for name in names}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, (list, tuple))}
    return measure_search(SearchBenchmark(**{**values, **lists}), _show, _progress)


def _add_cascade(commands):
    amount = CascadeBenchmark
    parser = _add_benchmark(
        commands, "cascade", "how fast a cascade is and how much of the exact result it finds, on real photos", _cascade
    )
    parser.add_argument("--checkpoint", required=True, metavar="DIR", help="checkpoint of a bi-encoder such as B")
    parser.add_argument("--first", metavar="DIR", help="checkpoint of an F, for the first stage by vectors")
    parser.add_argument("--data", metavar="DIR", help="data set (default: the checkpoint's data.dir)")
    parser.add_argument(
        "--split", default=amount.split, metavar="NAME", help="whose captions are the queries (default: %(default)s)"
    )
    numbers = {
        "images": "photos of the data set, collages, then jittered copies; 0: the photos alone (default: %(default)s)",
        "encoded": "at most so many photos and collages; the rest are jittered copies of them (default: %(default)s)",
        "dim": "project fragments to so many dimensions, which keeps all products; 0: as they are (default: %(default)s)",
        "queries": "captions that are searched for (default: %(default)s)",
        "callers": "threads that search at once (default: %(default)s)",
    }
    for name, help in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=getattr(amount, name), metavar="N", help=help)
    parser.add_argument(
        "--candidates",
        type=int,
        nargs="+",
        default=amount.candidates,
        metavar="N",
        help="candidates of the first stage (default: several, 50 to 5000)",
    )
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
    _add_page(parser, cascade_markdown)


def _cascade(arguments):
    from inflate_shrink.engine.checkpoint import open_checkpoint

    from .search.cascade import measure_cascade

    names = ("split", "images", "encoded", "dim", "queries", "callers", "centroids", "tried", "seed", "threads")
    lists = {name: tuple(getattr(arguments, name)) for name in ("candidates", "stages")}
    amount = CascadeBenchmark(**lists, **{name: getattr(arguments, name) for name in names})
    checkpoint = open_checkpoint(arguments.checkpoint)
    first = open_checkpoint(arguments.first) if arguments.first else None
    result = measure_cascade(
        amount, checkpoint, first, arguments.data or checkpoint.config.data.dir, _show, arguments.keep
    )
    if arguments.figure:
        draw_cascade(result, arguments.figure)
    return result


def _add_latency(commands):
    amount, configs = LatencyBenchmark, Path(__file__).resolve().parents[2] / "configs" / "coco.yaml"
    help = "Tables 3 and 4; some five minutes, and with a million candidates 50 GB of temporary files"
    parser = _add_benchmark(commands, "latency", help, _latency)
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
    _add_page(parser, latency_markdown)


def _latency(arguments):
    candidates = tuple(sorted(set(arguments.candidates)))
    amount = LatencyBenchmark(
        tuple(arguments.models), arguments.cross, candidates, arguments.pairs, arguments.threads, arguments.seed
    )
    return measure_latency(amount, _show, _progress)


def _show(text):
    say(text, flush=True)


def _progress(text):
    say(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_tool(main)
