"""Speed and memory, measured on the user's machine; ``tools/benchmark.py`` prints them."""
