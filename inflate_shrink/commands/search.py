"""Find the images of an index that fit a text: rank, score, image id and file.

  python tools/search.py --index indexes/demo "a red ball left of a box" -k 10
  python tools/search.py --index indexes/demo "a red ball left of a box" --mode exact --json hits.json
  python tools/search.py --index indexes/demo --like test-00003
  python tools/search.py --index indexes/captions --image test-00003 --data data/demo

tools/index.py builds the index; one of captions is searched with an image of a data set. --like finds images
like one of the index.
"""

import sys
from functools import partial

from ..atomic import write_json
from ..cli import add_any_extractor, at_once, run_tool, tool_parser
from ..errors import InputError
from ..search.id_list import read_ids
from ..search.inverted.index import InvertedIndex, is_inverted
from ..search.searcher import CANDIDATES, RERANKED, Searcher
from ..terminal import printable, say


def main(argv):
    parser = tool_parser(__doc__)
    parser.add_argument("query", nargs="?", metavar="TEXT", help="what to look for, in quotes")
    parser.add_argument("--index", required=True, metavar="DIR", help="of tools/index.py build")
    parser.add_argument("-k", type=int, default=10, metavar="K", help="how many images (default: %(default)s)")
    parser.add_argument("--image", metavar="ID", help="in place of a text: an image of --data, for an index of captions")
    parser.add_argument("--like", metavar="ID", help="in place of a text: an image of the index, to find others like it")
    parser.add_argument("--data", metavar="DIR", help="the data set of --image, or of the images that --cross scores")
    parser.add_argument("--mode", choices=("exact", "cascade"), default="", help="(default: a cascade where the index has a first stage)")
    parser.add_argument("--candidates", type=int, metavar="N", help=f"that a cascade scores exactly, K or more (default: {CANDIDATES})")
    parser.add_argument("--only", metavar="FILE", help="a list of ids to choose from, one a line")
    parser.add_argument("--cross", metavar="DIR", help="checkpoint of a cross-BERT that orders the best anew; needs --data")
    parser.add_argument("--reranked", type=int, default=RERANKED, metavar="N", help="how many it orders (default: %(default)s)")
    parser.add_argument("--threads", type=at_once, default=0, metavar="N", help="(default: all cores)")
    parser.add_argument("--backend", choices=("paddle", "onnx"), default="paddle", help="of the query's encoder; onnx starts faster (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="also write the result here")
    add_any_extractor(parser)
    arguments = parser.parse_args(argv)
    query = {name: getattr(arguments, name) for name in ("query", "image", "like") if getattr(arguments, name) is not None}
    if len(query) != 1 or arguments.image is not None and not arguments.data:
        raise InputError("give one query: a text, --like ID, or --image ID with --data DIR")
    if arguments.cross and not (arguments.data and arguments.query is not None):
        raise InputError("--cross takes a text and --data DIR, the data set with the regions of the images")
    if arguments.candidates is None:
        arguments.candidates = CANDIDATES
    elif 0 < arguments.candidates < arguments.k:
        raise InputError(f"--candidates {arguments.candidates}: too few for -k {arguments.k}, which are chosen among them; give {arguments.k} or more, or a smaller -k")

    hits, held, what = _inverted(arguments) if is_inverted(arguments.index) else _search(arguments)
    if arguments.k > held:
        say(f"-k {arguments.k}: {arguments.index} holds {held} {what}; these are all", file=sys.stderr)
    for hit in hits:
        say(printable(f"{hit.rank:4d}  {hit.score:8.4f}  {hit.id}  {hit.file}".rstrip()))
    if arguments.json:
        write_json(arguments.json, {"index": arguments.index, **query, "hits": [hit._asdict() for hit in hits]})


def _inverted(arguments):
    if arguments.query is None or arguments.only or arguments.cross or arguments.mode == "cascade":
        raise InputError(f"{arguments.index}: an inverted index, which takes a text and -k only")
    index = InvertedIndex(arguments.index)
    return index.search(arguments.query, arguments.k), len(index), "images"


def _search(arguments):
    searcher = Searcher(arguments.index, arguments.threads, arguments.backend)
    only = read_ids(arguments.only) if arguments.only else None
    options = {"k": arguments.k, "mode": arguments.mode, "candidates": arguments.candidates, "only": only}
    if arguments.like is not None:
        hits = searcher.search_like(arguments.like, **options)
    elif arguments.image is not None:
        hits = searcher.search_image(_regions(arguments.data, arguments.image), **options)
    else:
        if searcher.is_cut(arguments.query):
            say(f"the query is longer than the {searcher.text_length} positions that the model reads; the rest is cut off", file=sys.stderr)
        hits = searcher.search(arguments.query, **options, rerank=_cross(arguments), reranked=arguments.reranked)
    held, what = len(searcher) if only is None else len(set(only)), searcher.index.settings.holds
    if only is not None:
        what = f"of the {what} in {arguments.only}"
    if arguments.like is not None:
        held, what = held - (only is None or arguments.like in only), f"{what} besides {arguments.like}"
    return hits, held, what


def _regions(data, image):
    """(m, region_dim) of an image of a data set."""
    from ..data.store import open_store

    store = open_store(data)
    if image not in store.image_ids:
        raise InputError(f"{data}: has no image {image!r}; images.tsv lists them")
    regions, counts = store.read_regions([store.image_ids.index(image)])
    return regions[0, : counts[0]]


def _cross(arguments):
    if not arguments.cross:
        return None
    from ..engine.checkpoint import open_checkpoint
    from ..search.cross_stage import CrossStage

    return partial(CrossStage(open_checkpoint(arguments.cross, arguments.any_extractor), arguments.data), arguments.query)


if __name__ == "__main__":
    run_tool(main)
