"""Measure speed and memory on this machine.

  python tools/benchmark.py data
  python tools/benchmark.py data --images photos --backbone resnet50 --json data.json
  python tools/benchmark.py extraction --images photos --backbone resnet50 mobilenet_v2
  python tools/benchmark.py search --markdown search.md
  python tools/benchmark.py cascade --checkpoint runs/flickr8k/B --first runs/flickr8k/B-F --split val
  python tools/benchmark.py latency --candidates 1000 10000 100000
  python tools/benchmark.py validation --images 5000 --captions 25000 --codes 32 96
  python tools/benchmark.py serve --index indexes/demo indexes/demo-I
  python tools/benchmark.py train --models F B I --hidden 128 --vocabulary 8000 30522

data: clustering, loading of batches, memory of tools/prepare_data.py, extraction of regions.
extraction: backbones beside each other, by photos at once and threads.
search: the kernel beside the machine's limit, exact peers and faiss; pip install -e .[bench] installs those.
cascade: speed against agreement on a data set's own photos, with collages of them as distractors, or without.
latency: the paper's Tables 3 and 4, encoding a query and scoring candidates by it.
validation: peak memory of an evaluation of many images and captions.
serve: tools/serve.py asked by 200 clients for a minute, every answer compared (extra serve).
train: pairs per second of an update, beside the same in PyTorch (extra bench), and where its time goes.
Nothing else should run meanwhile. Temporary files are removed; TMPDIR says where they are.
"""

import os
import shlex

# Before NumPy is imported: what is measured on one core must not use more. Paddle has threads of its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from inflate_shrink.atomic import atomic_path, write_json
from inflate_shrink.cli import run_tool, tool_parser

from .subcommands import cascade, data, extraction, latency, search, serve, train, validation


def main(argv):
    """Run tools/benchmark.py with the arguments ``argv``."""
    parser = tool_parser(__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for subcommand in (data, extraction, search, cascade, latency, validation, serve, train):
        subcommand.add(commands)
    arguments = parser.parse_args(argv)
    result = arguments.run(arguments)
    if arguments.json:
        write_json(arguments.json, result)
    if getattr(arguments, "markdown", ""):
        with atomic_path(arguments.markdown) as temporary:
            temporary.write_text(
                arguments.page(result, shlex.join(["python", "tools/benchmark.py", *argv])), encoding="utf-8"
            )


if __name__ == "__main__":
    run_tool(main)
