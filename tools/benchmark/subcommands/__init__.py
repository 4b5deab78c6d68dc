"""The subcommands of ``tools/benchmark.py``, a module each, whose ``add`` gives it a parser and what it runs."""
