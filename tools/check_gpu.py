#!/usr/bin/env python
from inflate_shrink.commands.check_gpu import main, run_tool

if __name__ == "__main__":
    run_tool(main)
