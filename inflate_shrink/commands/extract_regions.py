"""Describe a folder of photos by regions, for search or, with captions, for training.

  python tools/extract_regions.py --images photos --backbone resnet50 --out data/photos
  python tools/extract_regions.py --images photos.zip --detector yolox_s.onnx --backbone net.onnx --out data/photos

Without a detector the regions are the cells of the backbone's feature map. A backbone is a network of Paddle by its
name, whose weights Paddle downloads; or, as a detector is, an ONNX file or a Paddle Inference model (docs/own_data.md
says where from). An interrupted call goes on when repeated.

Names: NAMES.
"""

import argparse
import os
import textwrap
import time
from dataclasses import fields

# Before NumPy is imported: each worker is one core's.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ..cli import MOST, at_once, run_tool, tool_parser
from ..data.bad_records import BadRecords
from ..errors import InputError
from ..extract.collection import extract_collection
from ..extract.extractor import ExtractorSettings
from ..extract.named import NAMES
from ..extract.photos import PhotoFolder
from ..extract.presets import BACKBONES, DETECTORS
from ..terminal import say


def main(argv):
    """Describe photos as ``argv`` says; raises InputError."""
    defaults = ExtractorSettings
    parser = tool_parser(__doc__.replace("NAMES", textwrap.fill(", ".join(NAMES), 112)))
    add = parser.add_argument
    add("--images", metavar="DIR", required=True, help="photos: a folder with its subfolders, or a .zip archive")
    add("--out", metavar="DIR", required=True, help="the new data set")
    what = "a network of Paddle, or the file of one that gives a feature map (1, C, h, w)"
    add("--backbone", metavar="NAME|FILE", required=True, help=what)
    weights = "of a network of Paddle, a .pdparams file (default: Paddle's own, downloaded into its cache)"
    add("--backbone-weights", metavar="FILE", default="", help=weights)
    add(
        "--backbone-preset",
        choices=BACKBONES,
        default=defaults.backbone_preset,
        help="how pixels are scaled for a backbone from a file (default: %(default)s)",
    )
    add("--detector", metavar="FILE", default="", help="network that proposes boxes; without it, grid cells")
    add(
        "--detector-preset",
        choices=DETECTORS,
        default=defaults.detector_preset,
        help="input and output of the detector (default: %(default)s)",
    )
    add(
        "--size",
        type=int,
        default=defaults.size,
        help="pixels of a photo's shorter side at the backbone (default: %(default)s)",
    )
    add("--boxes", type=int, default=defaults.boxes, help="most boxes of a photo (default: %(default)s)")
    add(
        "--regions",
        type=int,
        default=32,
        help="most regions of a photo, the whole one among them; more are clustered (default: %(default)s)",
    )
    add(
        "--whole",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="make the whole photo the first region, the mean of the feature map: what a model with one fragment reads,"
        " and the linear start learns from (its rsum on Flickr8k: 287 in place of 267)",
    )
    add(
        "--power",
        type=float,
        default=defaults.power,
        metavar="P",
        help="after clustering each number x becomes sign(x) |x|^P, 0 < P <= 1 (power normalisation): with 0.5 the linear"
        " start's rsum on Flickr8k is 294 in place of 287 (default: %(default)s, as it is)",
    )
    add(
        "--mirrored",
        action="store_true",
        help="describe each photo mirrored left to right too, for training, which then draws one of the two: against"
        " overfitting; the linear start gains nothing",
    )
    add(
        "--workers",
        type=at_once,
        default=len(os.sched_getaffinity(0)),
        help="processes (default: one a core, %(default)s)",
    )
    add(
        "--batch",
        type=int,
        default=1,
        metavar="N",
        help="photos at once in each process, those of one size in one call (default: %(default)s, as a rule as fast)",
    )
    add(
        "--reuse",
        metavar="DIR",
        default="",
        help="data set of the same networks and options, whose photos are not described again",
    )
    add(
        "--strict",
        action="store_true",
        help="stop at the first file that is no photo or is damaged, instead of leaving it out",
    )
    arguments = parser.parse_args(argv)
    for name in ("detector_preset", "boxes"):
        if not arguments.detector and getattr(arguments, name) != parser.get_default(name):
            raise InputError(f"--{name.replace('_', '-')} has no effect without --detector; leave it out")
    if not 1 <= arguments.batch <= MOST:
        raise InputError(f"--batch must be 1 to {MOST}, found {arguments.batch}")

    settings = ExtractorSettings(**{field.name: getattr(arguments, field.name) for field in fields(ExtractorSettings)})
    bad = BadRecords(skip=not arguments.strict, hint="without --strict such files are left out")
    start = time.perf_counter()
    photos, before, reused = extract_collection(
        PhotoFolder(arguments.images),
        arguments.out,
        settings,
        regions=arguments.regions,
        workers=arguments.workers,
        bad=bad,
        reuse=arguments.reuse,
        mirrored=arguments.mirrored,
        batch=arguments.batch,
    )
    seconds = time.perf_counter() - start
    known = f" ({before} of them in an earlier call)" if before else ""
    known += f" ({reused} of them as in {arguments.reuse})" if arguments.reuse else ""
    pace = (photos - before) / seconds
    say(f"{arguments.out}: {photos} photos{known}, {bad.count} files left out, {seconds:.0f} s, {pace:.1f} photos/s")


if __name__ == "__main__":
    run_tool(main)
