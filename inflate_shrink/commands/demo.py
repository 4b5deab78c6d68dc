"""Run the paper's method from nothing, on drawn scenes; `make demo` is this.

  python tools/demo.py

Trains F, B and I, distils B-F, I-F, I-B and I-B-F, and prints their recall beside the paper's.
It is the pipeline configs/pipelines.yaml:table2 on the demo data: each step is a call of
tools/train.py or tools/distill.py, printed as it starts; as many run at a time as there are cores, up to four.
Finished steps are kept in runs: a second call reuses them, or resumes what was interrupted.
"""

import time
from pathlib import Path

from ..cli import run_tool, tool_parser
from ..terminal import say

RESULTS = Path("runs/demo/results.json")


def main(argv):
    """Run tools/demo.py with the arguments ``argv``."""
    tool_parser(__doc__).parse_args(argv)
    start = time.time()
    from ..pipeline.demo import format_table, linear_model, make_demo_data, write_results
    from ..pipeline.plan import plan, read_pipeline
    from ..pipeline.result import finished_result
    from ..pipeline.run import default_lanes, run_steps

    pipeline = read_pipeline("configs/pipelines.yaml:table2")
    make_demo_data()
    steps = plan(pipeline._replace(data="demo"), "runs")
    run_steps(steps, default_lanes())
    found = {step.name: finished_result(step.directory) for step in steps}
    results = [found[name] for name in pipeline.steps]
    write_results(RESULTS, results)
    say(
        f"{format_table(results, linear_model(steps[0].config))}\n{time.time() - start:.0f} s; "
        f"the runs are {RESULTS.parent}/*, their results {RESULTS}"
    )


if __name__ == "__main__":
    run_tool(main)
