"""The one exception whose message is meant for the user, and how tools print it."""

from __future__ import annotations

import sys

from .cpu import keep_freed_memory


class InputError(Exception):
    """Something the user gave is wrong.

    The message is one line: which file, which line or key, what was expected,
    what to do. Tools print it and exit with code 2 (see :func:`run_tool`).
    """


def run_tool(main, argv=None) -> None:
    """Run ``main(argv)`` as a command line tool and exit the process.

    An :class:`InputError` is printed as one line, without a traceback, with exit
    code 2; ``--debug`` anywhere on the command line keeps the traceback. Ctrl-C
    exits with 130, as shells expect.
    """
    keep_freed_memory()
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in argv
    try:
        main([argument for argument in argv if argument != "--debug"])
    except InputError as error:
        if debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        if debug:
            raise
        print("interrupted", file=sys.stderr)
        sys.exit(130)
