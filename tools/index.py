#!/usr/bin/env python
"""Build and describe search indexes; tools/search.py asks them.

  python tools/index.py build --checkpoint runs/demo/VisualSparta --data data/demo --split test --out indexes/demo
  python tools/index.py info indexes/demo --verify

build: an inverted index of a VisualSparta checkpoint: the score of every vocabulary piece with
every image, so that a query is a sum of posting lists.
"""

from inflate_shrink.cli import add_command, run_tool, tool_parser
from inflate_shrink.search.inverted.index import InvertedIndex


def main(argv):
    parser = tool_parser(__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_build, _add_info):
        add(commands)
    arguments = parser.parse_args(argv)
    arguments.run(arguments)


def _add_build(commands):
    parser = add_command(commands, "build", "index the images of a data set with a checkpoint", _build)
    parser.add_argument("--checkpoint", required=True, metavar="DIR", help="checkpoint or run directory; its model.scoring is visual_sparta")
    parser.add_argument("--data", metavar="DIR", help="data set (default: the checkpoint's data.dir)")
    parser.add_argument("--split", default="", metavar="NAME", help="only the images of this split (default: all)")
    parser.add_argument("--out", required=True, metavar="DIR", help="the new index")
    parser.add_argument("--top", type=int, default=0, metavar="N", help="keep an image's N best pieces only: smaller, faster (default: all above 0)")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="of the scores on disk (default: %(default)s)")


def _add_info(commands):
    parser = add_command(commands, "info", "what an index holds and what it was made of", _info)
    parser.add_argument("index", metavar="DIR")
    parser.add_argument("--verify", action="store_true", help="read all files and compare their checksums")


def _build(arguments):
    from inflate_shrink.engine.checkpoint import open_checkpoint
    from inflate_shrink.search.inverted.build import build_inverted_index

    checkpoint = open_checkpoint(arguments.checkpoint)
    build_inverted_index(checkpoint, arguments.data or checkpoint.config.data.dir, arguments.split, arguments.out, arguments.top, arguments.dtype)
    print(InvertedIndex(arguments.out).describe())


def _info(arguments):
    print(InvertedIndex(arguments.index, arguments.verify).describe())
    if arguments.verify:
        print("verified: every file has its checksum")


if __name__ == "__main__":
    run_tool(main)
