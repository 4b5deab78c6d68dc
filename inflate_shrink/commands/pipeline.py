"""Run a pipeline: a graph of training and distillation steps, such as I -> B -> F or a table of the paper.

  python tools/pipeline.py -c configs/pipelines.yaml:table2 --data flickr30k
  python tools/pipeline.py -c configs/pipelines.yaml:table9-6 --dry-run
  python tools/pipeline.py -c configs/pipelines.yaml:table9 --demo
  python tools/pipeline.py -c configs/pipelines.yaml:table2 --seeds 0 1 2 -o optim.epochs=20

Steps that are finished, in this pipeline or another, are not run again: each is kept in
runs/steps under a hash of its config, its data and what it starts from. The same command
after a crash or Ctrl-C goes on. tools/report.py makes the tables.
"""

from ..cli import add_config_options, at_once, run_tool, tool_parser
from ..errors import InputError
from ..terminal import say


def main(argv):
    """Run tools/pipeline.py with the arguments ``argv``."""
    parser = tool_parser(__doc__)
    add_config_options(parser, required=True)
    data = "a data set of configs/, or the file or folder of another (default: that of the pipeline)"
    parser.add_argument("--data", metavar="DATA", help=data)
    parser.add_argument(
        "--demo",
        action="store_true",
        help="short for --data demo, which makes the demo data if it is not there: minutes",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[0],
        metavar="S",
        help="run each step for each of these seeds (default: 0)",
    )
    parser.add_argument("--runs", default="runs", metavar="DIR", help="where runs are kept (default: %(default)s)")
    lanes = "steps at a time (default: a core for each thread, at most 4; 1 on a GPU)"
    parser.add_argument("--lanes", type=at_once, default=0, metavar="N", help=lanes)
    threads = "threads of each step; they round differently, so another number is another run (default: 1)"
    parser.add_argument("--threads", type=at_once, default=1, metavar="N", help=threads)
    dry_run = "show the plan and what it would cost, also where the data is not there; writes nothing"
    parser.add_argument("--dry-run", action="store_true", help=dry_run)
    arguments = parser.parse_args(argv)
    if arguments.demo and arguments.data:
        raise InputError("--demo is --data demo; give one of the two")
    if arguments.threads < 1:
        raise InputError(f"--threads must be 1 or more, found {arguments.threads}")

    from ..pipeline.cost import describe_plan
    from ..pipeline.demo import make_demo_data
    from ..pipeline.plan import plan, read_pipeline
    from ..pipeline.run import default_lanes, run_steps

    pipeline = read_pipeline(arguments.config)
    data = "demo" if arguments.demo else arguments.data or pipeline.data
    if not data:
        raise InputError(f"{arguments.config}: does not say on which data; give --data, such as --data coco")
    if data == "demo" and not arguments.dry_run:
        make_demo_data()
    pipeline = pipeline._replace(data=data)
    steps = plan(pipeline, arguments.runs, arguments.override, arguments.seeds, arguments.threads, arguments.dry_run)
    lanes = arguments.lanes or default_lanes(arguments.threads)
    if arguments.dry_run:
        say(describe_plan(steps, lanes))
    else:
        run_steps(steps, lanes)


if __name__ == "__main__":
    run_tool(main)
