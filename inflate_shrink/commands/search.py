"""Find the images of an index that fit a text: rank, score, image id and file.

  python tools/search.py --index indexes/demo "a red ball left of a box" -k 10
  python tools/search.py --index indexes/demo "a red ball left of a box" --mode exact --json hits.json
  python tools/search.py --index indexes/demo --like test-00003
  python tools/search.py --index indexes/photos --image dog.jpg
  python tools/search.py --index indexes/captions --image test-00003 --data data/demo

tools/index.py builds the index. --like finds images like one of the index. --image finds the captions of an index of
captions that fit a photo or an image of a data set, or the images like it of an index that was built with --photos; a
photo is described by the networks that described the indexed ones.
"""

import sys
from functools import partial

from ..atomic import write_json
from ..cli import add_any_extractor, at_once, run_tool, tool_parser
from ..errors import InputError
from ..search.id_list import read_ids
from ..search.searchable import open_searchable
from ..search.searcher import CANDIDATES, DEVICES, RECALL, RERANKED
from ..terminal import printable, say


def main(argv):
    """Search an index and print the hits as ``argv`` says; raises InputError."""
    parser = tool_parser(__doc__)
    parser.add_argument("query", nargs="?", metavar="TEXT", help="what to look for, in quotes")
    parser.add_argument("--index", required=True, metavar="DIR", help="the index, made by tools/index.py build")
    parser.add_argument("-k", type=int, default=10, metavar="K", help="how many images (default: %(default)s)")
    parser.add_argument(
        "--image",
        metavar="FILE",
        help="search by this photo in place of a text, or with --data by the image of this id there",
    )
    parser.add_argument("--like", metavar="ID", help="find the images like this one of the index, in place of a text")
    for name in ("backbone", "detector"):
        parser.add_argument(
            f"--{name}",
            metavar="FILE",
            default="",
            help=f"the {name} that described the photos, to describe that of --image (default: where it was then)",
        )
    parser.add_argument("--data", metavar="DIR", help="the data set of --image, or of the images that --cross scores")
    parser.add_argument(
        "--mode",
        choices=("exact", "cascade"),
        default="",
        help="score all exactly, or by a first stage and only its best exactly "
        "(default: a cascade where the index has a first stage)",
    )
    parser.add_argument(
        "--candidates",
        type=int,
        metavar="N",
        help="how many a cascade scores exactly, K or more (default: as many as --recall needs by a fitted first stage, "
        f"{CANDIDATES} by another one)",
    )
    parser.add_argument(
        "--recall",
        type=float,
        metavar="SHARE",
        help="the share of the exact best that a fitted first stage is to find, above 0; 1: score all "
        f"(default: {RECALL})",
    )
    parser.add_argument("--only", metavar="FILE", help="choose only among the ids of this list, one a line")
    parser.add_argument(
        "--cross", metavar="DIR", help="checkpoint of a cross-BERT that orders the best anew; needs --data"
    )
    parser.add_argument(
        "--reranked",
        type=int,
        default=RERANKED,
        metavar="N",
        help="how many the cross-BERT orders (default: %(default)s)",
    )
    parser.add_argument("--threads", type=at_once, default=0, metavar="N", help="cores to use (default: all)")
    parser.add_argument(
        "--backend",
        choices=("paddle", "onnx"),
        default="",
        help="what runs the query's encoder (default: onnx where the index has its file, since it starts faster)",
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="cpu",
        help="where scores are computed; gpu has never run on one (default: %(default)s)",
    )
    parser.add_argument("--json", metavar="FILE", help="also write the hits to this file")
    add_any_extractor(parser)
    arguments = parser.parse_args(argv)
    query = {
        name: getattr(arguments, name) for name in ("query", "image", "like") if getattr(arguments, name) is not None
    }
    if len(query) != 1:
        raise InputError("give one query: a text, --like ID, --image FILE, or --image ID with --data DIR")
    for name in ("backbone", "detector"):
        if getattr(arguments, name) and (arguments.image is None or arguments.data):
            raise InputError(f"--{name} has no effect without a photo, --image FILE; leave it out")
    if arguments.cross and not (arguments.data and arguments.query is not None):
        raise InputError("--cross takes a text and --data DIR, the data set with the regions of the images")
    if arguments.candidates is not None and 0 < arguments.candidates < arguments.k:
        few = f"--candidates {arguments.candidates}: too few for -k {arguments.k}, which are chosen among them"
        raise InputError(f"{few}; give {arguments.k} or more, or a smaller -k")

    if arguments.recall is not None and (arguments.query is None or arguments.candidates is not None):
        raise InputError("--recall is for texts, without --candidates; leave one out")
    if arguments.recall is not None and not 0 < arguments.recall <= 1:
        raise InputError(f"--recall {arguments.recall:g}: give a share of the best, above 0 and at most 1")

    stages = arguments.mode != "exact"  # what is not needed may be damaged
    index = open_searchable(arguments.index, arguments.threads, arguments.backend, arguments.device, stages)
    given = {
        "mode": arguments.mode or None,
        "candidates": arguments.candidates,
        "recall": arguments.recall,
        "only": arguments.only and read_ids(arguments.only),
    }
    options = {name: value for name, value in given.items() if value is not None}
    if arguments.like is not None:
        hits = index.search_like(arguments.like, arguments.k, **options)
    elif arguments.image is not None:
        photo = arguments.image, arguments.backbone, arguments.detector
        regions = _regions(arguments.data, arguments.image) if arguments.data else index.describe_photo(*photo)
        hits = index.search_image(regions, arguments.k, **options)
    else:
        hits = index.search(arguments.query, arguments.k, **options, **(_cross(arguments) if arguments.cross else {}))
        for line in index.remarks(arguments.query):
            say(printable(line), file=sys.stderr)
    held, what = _held(index, arguments, options.get("only"))
    if arguments.k > held:
        say(f"-k {arguments.k}: {arguments.index} holds {held} {what}; these are all", file=sys.stderr)
    for hit in hits:
        say(printable(f"{hit.rank:4d}  {hit.score:8.4f}  {hit.id}  {hit.file}".rstrip()))
    if arguments.json:
        write_json(arguments.json, {"index": arguments.index, **query, "hits": [hit._asdict() for hit in hits]})


def _held(index, arguments, only):
    """Return how many items there are to choose from, and which."""
    held, what = len(index), index.holds
    if only is not None:
        held, what = len(set(only)), f"of the {index.holds} in {arguments.only}"
    if arguments.like is not None:
        held, what = held - (only is None or arguments.like in only), f"{what} besides {arguments.like}"
    return held, what


def _regions(data, image):
    """Return the regions (m, region_dim) of an image of a data set."""
    from ..data.store import open_store

    store = open_store(data)
    if image not in store.image_ids:
        raise InputError(f"{data}: has no image {image!r}; images.tsv lists them")
    regions, counts = store.read_regions([store.image_ids.index(image)])
    return regions[0, : counts[0]]


def _cross(arguments):
    """Return the options of a search whose best a cross-BERT orders anew."""
    from ..engine.checkpoint import open_checkpoint
    from ..search.cross_stage import CrossStage

    stage = CrossStage(open_checkpoint(arguments.cross, arguments.any_extractor), arguments.data)
    return {"rerank": partial(stage, arguments.query), "reranked": arguments.reranked}


if __name__ == "__main__":
    run_tool(main)
