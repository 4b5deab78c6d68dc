"""What the tools share: how they run, and their options. Imports nothing heavy: --help is instant."""

from __future__ import annotations

import argparse
import sys
from typing import Callable, Sequence

import yaml

from .config import Config, load_config, to_dict
from .cpu import keep_freed_memory
from .errors import InputError
from .published import describe_published


def run_tool(main: Callable[[list[str]], None], argv: Sequence[str] | None = None) -> None:
    """Run ``main(argv)`` as a command line tool and exit the process.

    An InputError is printed as one line with exit code 2; ``--debug`` keeps its traceback.
    Ctrl-C exits with 130, as shells expect.
    """
    keep_freed_memory()
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        main(argv)
    except InputError as error:
        if "--debug" in argv:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        if "--debug" in argv:
            raise
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def tool_parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose help is the tool's docstring, with the examples as written."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def add_command(commands, name: str, help: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
    """A subcommand with ``--debug``; ``run`` is kept as ``arguments.run``."""
    parser = commands.add_parser(name, help=help, description=help)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)
    return parser


def add_config_options(parser: argparse.ArgumentParser, required: bool) -> None:
    row = "YAML config, or a row of a data set, such as configs/coco.yaml:I-k16l48-B"
    parser.add_argument("-c", "--config", required=required, metavar="FILE", help=row)
    values = {"action": "extend", "nargs": "+", "default": [], "metavar": "KEY=VALUE"}
    parser.add_argument("-o", "--override", **values, help="section.key=value, over the file; several, or repeated")


def training_config(doc: str, argv) -> tuple[Config, bool]:
    """Config and resume flag of tools/train.py and tools/distill.py."""
    parser = tool_parser(doc)
    add_config_options(parser, required=True)
    parser.add_argument("-r", "--resume", action="store_true", help="go on from the last checkpoint in run.dir, if there is one")
    parser.add_argument("--show", action="store_true", help="print the config and its row's published numbers, and end")
    arguments = parser.parse_args(argv)
    config = load_config(arguments.config, arguments.override)
    if arguments.show:
        published = describe_published(config.name) or ["nothing for a row of this name"]
        print(*(f"# Published: {line}" for line in published), sep="\n")
        print(yaml.safe_dump(to_dict(config), sort_keys=False), end="")
        sys.exit()
    return config, arguments.resume
