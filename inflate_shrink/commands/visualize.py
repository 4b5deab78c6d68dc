"""Draw what a model attends to, and which region each word chose.

  python tools/visualize.py attention --checkpoint runs/demo/I --caption "a red ball left of a box" --out attention
  python tools/visualize.py attention --checkpoint runs/demo/I --data data/demo --image test-00003 --out attention
  python tools/visualize.py match --checkpoint runs/demo/B --split test --number 3 --out match

attention: each layer and head over words, or regions, and codes, as heat maps and as lines.
match: the boxes on the photo that the words of a caption chose; without --image, on the
split's best photo for the caption. Both write OUT.png and OUT.html.
"""

from ..cli import add_any_extractor, add_command, run_tool, tool_parser
from ..terminal import say


def main(argv):
    """Run tools/visualize.py with the arguments ``argv``."""
    parser = tool_parser(__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_attention, _add_match):
        add(commands)
    arguments = parser.parse_args(argv)
    say(arguments.run(arguments))


def _add_picture(commands, name, help, draw):
    """Add a parser with what both subcommands have; ``draw`` takes the arguments, writes the files and says what is
    in them."""
    parser = add_command(commands, name, help, draw)
    parser.add_argument("--checkpoint", required=True, metavar="DIR", help="checkpoint or run directory")
    parser.add_argument("--caption", metavar="TEXT", help="a caption, in quotes")
    parser.add_argument("--image", metavar="ID", help="an image of the data set, by its id")
    parser.add_argument("--number", type=int, metavar="N", help="the split's N-th caption, from 1, and its image")
    parser.add_argument("--data", metavar="DIR", help="data set (default: the checkpoint's data.dir)")
    parser.add_argument("--split", metavar="NAME", help="split (default: the checkpoint's data.test_split)")
    parser.add_argument("--out", required=True, metavar="NAME", help="writes NAME.png and NAME.html")
    add_any_extractor(parser)
    return parser


def _add_attention(commands):
    parser = _add_picture(
        commands, "attention", "the attention of each layer and head over one caption or one image", _attention
    )
    for option in ("--layers", "--heads"):
        parser.add_argument(option, type=int, nargs="+", metavar="N", help="those in the PNG, from 1 (default: all)")


def _add_match(commands):
    _add_picture(commands, "match", "which region each word of a caption chose in an image", _match)


def _attention(arguments):
    from ..visualize.draw import attention_pictures

    return attention_pictures(
        arguments.checkpoint, _wanted(arguments), arguments.out, arguments.layers, arguments.heads
    )


def _match(arguments):
    from ..visualize.draw import match_pictures

    return match_pictures(arguments.checkpoint, _wanted(arguments), arguments.out)


def _wanted(arguments):
    from ..visualize.selection import Wanted

    return Wanted(
        arguments.caption, arguments.image, arguments.number, arguments.data, arguments.split, arguments.any_extractor
    )


if __name__ == "__main__":
    run_tool(main)
