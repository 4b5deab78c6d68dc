"""Options and output that subcommands share."""

import sys

from inflate_shrink.cli import add_command, at_once
from inflate_shrink.terminal import say


def add_benchmark(commands, name, help, measure):
    """Add a parser with what all subcommands have; ``measure`` takes the arguments, prints and returns the result."""
    parser = add_command(commands, name, help, measure)
    parser.add_argument("--json", metavar="FILE", help="also write the result here")
    return parser


def add_amounts(parser, amount, helps):
    """Add an option for each field of the settings ``amount`` that has a help: of several values where it has several."""
    for name, help in helps.items():
        default = getattr(amount, name)
        several = isinstance(default, tuple)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default[0] if several else default),
            nargs="+" if several else None,
            default=default,
            metavar="N",
            help=f"{help} (default: {' '.join(map(str, default)) if several else default})",
        )


def add_page(parser, page):
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


def show(text):
    """Print a part of the result."""
    say(text, flush=True)


def progress(text):
    """Print what is being done, beside the result."""
    say(text, file=sys.stderr, flush=True)
