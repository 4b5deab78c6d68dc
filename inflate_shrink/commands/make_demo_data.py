"""Make the demo data set: small drawn scenes with 100 regions and five captions each.

  python tools/make_demo_data.py
  python tools/make_demo_data.py --out data/tiny --seed 1 --scenes 300 50 50

The same seed makes the same bytes.
"""

import os
import time

# Before NumPy is imported: the matrices are so small that BLAS threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from ..cli import run_tool, tool_parser
from ..data.demo.build import build_demo, is_built
from ..data.demo.spec import DemoSpec
from ..errors import InputError
from ..terminal import say


def main(argv):
    """Run tools/make_demo_data.py with the arguments ``argv``."""
    defaults = (DemoSpec.train, DemoSpec.val, DemoSpec.test)
    parser = tool_parser(__doc__)
    parser.add_argument("--out", metavar="DIR", default="data/demo", help="the new data set (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other scenes (default: %(default)s)")
    counts = ("TRAIN", "VAL", "TEST")
    help = f"scenes of each split (default: {' '.join(map(str, defaults))}, under a minute)"
    parser.add_argument("--scenes", type=int, nargs=3, metavar=counts, default=defaults, help=help)
    arguments = parser.parse_args(argv)
    if arguments.seed < 0:
        raise InputError(f"--seed must be 0 or more, found {arguments.seed}")
    train, val, test = arguments.scenes
    spec = DemoSpec(train=train, val=val, test=test)

    if is_built(arguments.out, arguments.seed, spec):
        say(f"{arguments.out}: already holds this data set, nothing to do")
        return
    start = time.perf_counter()
    build_demo(arguments.out, arguments.seed, spec)
    say(f"{arguments.out}: {sum(arguments.scenes)} scenes in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    run_tool(main)
