"""Measure a finished run on its test split: writes its result.json, which tools/report.py collects.

  python tools/measure.py runs/demo/B
  python tools/measure.py runs/demo/B-F+C --rerank runs/demo/B-F runs/demo/C

A pipeline does this after each step. The result holds recalls under the config's data.protocols, milliseconds
a query, seconds of training and the config; with --rerank, recall and latency of two models together.
"""

from pathlib import Path

from ..cli import run_tool, tool_parser
from ..terminal import say


def main(argv):
    """Run tools/measure.py with the arguments ``argv``."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        "run", type=Path, metavar="DIR", help="directory of the run; with --rerank, where the result goes"
    )
    parser.add_argument(
        "--rerank", nargs=2, metavar=("RETRIEVER", "RERANKER"), help="two runs that are measured together instead"
    )
    arguments = parser.parse_args(argv)

    from ..engine.checkpoint import open_checkpoint
    from ..pipeline.measure import measure_run, measure_together

    models = [open_checkpoint(path) for path in arguments.rerank or ()]
    say(measure_together(arguments.run, *models) if models else measure_run(arguments.run))


if __name__ == "__main__":
    run_tool(main)
