#!/usr/bin/env python
from benchmark.command import main, run_tool

if __name__ == "__main__":
    run_tool(main)
