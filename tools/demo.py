#!/usr/bin/env python
"""The paper's method from nothing, on a data set made here: train F, B and I, distil
I-B, B-F and I-B-F, and print their recall beside the paper's. `make demo` runs this.

  python tools/demo.py

Finished steps are kept in runs/demo: a second call reuses them, or resumes what was interrupted.
"""

import json
import time
from pathlib import Path

from inflate_shrink.atomic import atomic_path
from inflate_shrink.cli import tool_parser
from inflate_shrink.config import load_config
from inflate_shrink.errors import run_tool

STEPS = (("F", "train"), ("B", "train"), ("B-F", "distill"), ("I", "train"), ("I-B", "distill"), ("I-B-F", "distill"))
RESULTS = Path("runs/demo/results.json")


def main(argv):
    tool_parser(__doc__).parse_args(argv)
    from inflate_shrink.data.demo.build import build_demo, is_built
    from inflate_shrink.engine import steps
    from inflate_shrink.engine.demo_table import format_table, measure

    start = time.time()
    configs = {model: load_config(f"configs/demo/{model}.yaml") for model, _ in STEPS}
    data_dir = configs["F"].data.dir
    if not is_built(data_dir):
        print(f"$ python tools/make_demo_data.py --out {data_dir}")
        build_demo(data_dir)
    for model, step in STEPS:
        print(f"\n$ python tools/{step}.py -c configs/demo/{model}.yaml --resume", flush=True)
        getattr(steps, step)(configs[model], resume=True)
    results = [measure(model, configs[model]) for model, _ in STEPS]
    with atomic_path(RESULTS) as temporary:
        temporary.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{format_table(results)}\n\n{time.time() - start:.0f} s; the same numbers are in {RESULTS}")


if __name__ == "__main__":
    run_tool(main)
