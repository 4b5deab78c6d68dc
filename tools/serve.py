#!/usr/bin/env python
from inflate_shrink.commands.serve import main, run_tool

if __name__ == "__main__":
    run_tool(main)
