#!/usr/bin/env python
"""Find the images of an index that fit a text: rank, score, image id and file.

  python tools/search.py --index indexes/demo "a red ball left of a box" -k 10

tools/index.py builds the index.
"""

from inflate_shrink.atomic import write_json
from inflate_shrink.cli import run_tool, tool_parser
from inflate_shrink.search.inverted.index import InvertedIndex


def main(argv):
    parser = tool_parser(__doc__)
    parser.add_argument("query", metavar="TEXT", help="what to look for, in quotes")
    parser.add_argument("--index", required=True, metavar="DIR", help="of tools/index.py build")
    parser.add_argument("-k", type=int, default=10, metavar="K", help="how many images (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="also write the result here")
    arguments = parser.parse_args(argv)

    index = InvertedIndex(arguments.index)
    hits = index.search(arguments.query, arguments.k)
    if arguments.k > len(index):
        print(f"-k {arguments.k}: {arguments.index} holds {len(index)} images; these are all")
    for hit in hits:
        print(f"{hit.rank:4d}  {hit.score:8.4f}  {hit.image_id}  {hit.file}".rstrip())
    if arguments.json:
        write_json(arguments.json, {"index": arguments.index, "query": arguments.query, "hits": [hit._asdict() for hit in hits]})


if __name__ == "__main__":
    run_tool(main)
