"""The one exception whose message is meant for the user."""


class InputError(Exception):
    """Something the user gave is wrong.

    The message is one line: which file, which line or key, what was expected, what to
    do. Tools print it without a traceback and exit with code 2 (``cli.run_tool``).
    """
