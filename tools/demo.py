#!/usr/bin/env python
"""The paper's method from nothing, on a data set made here: train F, B and I, distil
B-F, I-F, I-B and I-B-F, and print their recall beside the paper's. `make demo` runs this.

  python tools/demo.py

Each step is a call of tools/train.py or tools/distill.py, printed as it starts; two run at
a time, a core each. Finished steps are kept in runs/demo: a second call reuses them, or
resumes what was interrupted.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from inflate_shrink.atomic import atomic_path
from inflate_shrink.cli import run_tool, tool_parser
from inflate_shrink.errors import InputError

MODELS = ("B", "F", "I", "B-F", "I-B", "I-F", "I-B-F")  # each after those it starts from
TABLE = ("B", "F", "B-F", "I", "I-F", "I-B", "I-B-F")  # the order of the paper's Table 2
RESULTS = Path("runs/demo/results.json")


def main(argv):
    tool_parser(__doc__).parse_args(argv)
    start = time.time()
    print("$ python tools/make_demo_data.py", flush=True)
    if subprocess.run([sys.executable, "tools/make_demo_data.py"]).returncode:
        raise InputError("the demo data set could not be made (see above)")
    from inflate_shrink.engine.demo import format_table, measure, run_steps

    run_steps([f"configs/demo/{model}.yaml" for model in MODELS])
    results = [measure(f"configs/demo/{model}.yaml") for model in TABLE]
    with atomic_path(RESULTS) as temporary:
        temporary.write_text(json.dumps(results, indent=1) + "\n")
    print(f"{format_table(results)}\n{time.time() - start:.0f} s. The same numbers are in {RESULTS}")


if __name__ == "__main__":
    run_tool(main)
