"""Put finished runs into the paper's tables and figures: published, ours, difference.

  python tools/report.py
  python tools/report.py --runs runs --out report --data coco --tables 2 9 --figures 1
  python tools/report.py curves runs/demo/I runs/demo/I-B --out report/curves.png

Reads every result.json below --runs and writes, for each data set, DATA.md, DATA.csv and DATA.json,
figure1-DATA and figure3-DATA as PNG and SVG. Runs that differ in the seed alone are one row, their
mean and sample deviation. Ours stand beside the paper's numbers only where images and protocol
are the paper's; results on other data have tables of their own. The command curves draws trainings
together, finished or not: loss, recalls, learning rate and pace by update.
"""

from pathlib import Path

from ..cli import run_tool, tool_parser
from ..terminal import say

TABLES = ("1", "2", "5", "6", "7", "8", "9", "rerank", "other")
FORMATS = ("md", "csv", "json")


def main(argv):
    """Run tools/report.py with the arguments ``argv``."""
    if argv[:1] == ["curves"]:
        _curves(argv[1:])
        return
    parser = tool_parser(__doc__)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where the runs are (default: runs)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("report"), metavar="DIR", help="where the report goes (default: report)"
    )
    parser.add_argument("--data", nargs="+", default=(), metavar="NAME", help="data sets (default: all)")
    parser.add_argument(
        "--tables", nargs="*", choices=TABLES, default=TABLES, metavar="N", help=f"of {' '.join(TABLES)} (default: all)"
    )
    parser.add_argument(
        "--figures",
        nargs="*",
        type=int,
        choices=(1, 3),
        default=(1, 3),
        metavar="N",
        help="which of the figures 1 and 3 (default: both)",
    )
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        default=FORMATS,
        metavar="F",
        help=f"of {' '.join(FORMATS)} (default: all)",
    )
    parser.add_argument(
        "--note",
        default="",
        metavar="TEXT",
        help="under the title of the Markdown, such as the command that made the runs",
    )
    arguments = parser.parse_args(argv)

    from ..report.build import write_report

    for line in write_report(
        arguments.runs,
        arguments.out,
        arguments.data,
        arguments.tables,
        arguments.figures,
        arguments.format,
        arguments.note,
    ):
        say(line)


def _curves(argv):
    parser = tool_parser("Draw trainings together, by the scalars.jsonl of their directories.")
    parser.prog += " curves"
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="directory of a training, finished or not")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the picture, .png or .svg")
    arguments = parser.parse_args(argv)

    from ..report.curves import draw_curves

    draw_curves(arguments.runs, arguments.out)
    say(f"{arguments.out}: {len(arguments.runs)} runs")


if __name__ == "__main__":
    run_tool(main)
