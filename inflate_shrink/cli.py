"""What the tools share: how they run, and their options. Imports nothing heavy: --help is instant."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Callable, Sequence

import yaml

from .config import Config, load_config, to_dict
from .cpu import keep_freed_memory
from .engine.run_dir import refuse_second_run
from .errors import InputError
from .published import describe_published
from .signals import Terminated, raise_on_sigterm
from .terminal import as_called, printable

MOST = 1024  # threads or processes of one tool; who asks for more has slipped


def run_tool(main: Callable[[list[str]], None], argv: Sequence[str] | None = None) -> None:
    """Run ``main(argv)`` as a command line tool and exit the process.

    An InputError is printed as one line with exit code 2; ``--debug`` keeps its traceback.
    Ctrl-C exits with 130, SIGTERM with 143 and a reader that has closed our output with 141, as shells expect.
    """
    keep_freed_memory()
    raise_on_sigterm()
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            main(argv)
        finally:
            sys.stdout.flush()  # now, so that a closed pipe is met here and not at the end of the process
    except InputError as error:
        if "--debug" in argv:
            raise
        _end(2, f"error: {' '.join(as_called(str(error)).split())}")
    except KeyboardInterrupt as stop:
        if "--debug" in argv:
            raise
        _end(143, "terminated") if isinstance(stop, Terminated) else _end(130, "interrupted")
    except BrokenPipeError:  # raised where `... | head -1` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be written goes nowhere
        sys.exit(141)


def _end(code: int, line: str) -> None:
    print(printable(line), file=sys.stderr)
    sys.exit(code)


def tool_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser whose help is the tool's docstring, with the examples as written."""
    parser = argparse.ArgumentParser(description=as_called(doc), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def add_command(commands, name: str, help: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
    """Add a subcommand with ``--debug``; ``run`` is kept as ``arguments.run``."""
    parser = commands.add_parser(name, help=help, description=help)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)
    return parser


def at_once(text: str) -> int:
    """Return an option's number of threads or processes at once. Raises InputError for more than :data:`MOST`."""
    number = int(text)
    if not 0 <= number <= MOST:
        raise InputError(f"so many threads or processes at once cannot be: expected 0 to {MOST}, found {number}")
    return number


def add_config_options(parser: argparse.ArgumentParser, required: bool) -> None:
    """Add ``-c`` and ``-o``, a config and what overrides its keys, to a parser."""
    row = "YAML config, or a row of a data set, such as configs/coco.yaml:I-k16l48-B"
    parser.add_argument("-c", "--config", required=required, metavar="FILE", help=row)
    values = {"action": "extend", "nargs": "+", "default": [], "metavar": "KEY=VALUE"}
    parser.add_argument("-o", "--override", **values, help="section.key=value, over the file; several, or repeated")


def add_any_extractor(parser: argparse.ArgumentParser) -> None:
    """Add ``--any-extractor`` to a parser."""
    what = "take regions of another extractor than the checkpoint was trained on"
    parser.add_argument("--any-extractor", action="store_true", help=what)


def training_config(doc: str, argv) -> tuple[Config, bool]:
    """Read the config and the resume flag of tools/train.py and tools/distill.py."""
    parser = tool_parser(doc)
    add_config_options(parser, required=True)
    resume = "go on from the last checkpoint in run.dir, if there is one"
    parser.add_argument("-r", "--resume", action="store_true", help=resume)
    parser.add_argument("--show", action="store_true", help="print the config and its row's published numbers, and end")
    arguments = parser.parse_args(argv)
    config = load_config(arguments.config, arguments.override)
    if arguments.show:
        published = describe_published(config.name) or ["nothing for a row of this name"]
        print(*(f"# Published: {line}" for line in published), sep="\n")
        print(yaml.safe_dump(to_dict(config), sort_keys=False), end="")
        sys.exit()
    refuse_second_run(Path(config.run.dir), arguments.resume)  # now, before Paddle is imported and data opened
    return config, arguments.resume
