"""What tools/search.py and tools/index.py print: hits, or one line on standard error."""


def refused(result, *parts):
    """One line on standard error that holds all the parts, nothing else, and exit code 2."""
    code, stdout, stderr = result
    assert (code, stdout) == (2, "") and stderr.startswith("error: ") and stderr.count("\n") == 1, result
    for part in parts:
        assert str(part) in stderr


def ids(stdout):
    """Of the hits, in order."""
    return [line.split()[2] for line in stdout.splitlines()]
