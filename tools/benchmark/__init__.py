"""Speed and memory, measured on the user's machine; ``tools/benchmark.py`` prints them."""

from inflate_shrink.cpu import prepare_for_paddle

prepare_for_paddle()
