"""Check training and search on a GPU against the CPU, and write a page to paste into an issue.

  python tools/check_gpu.py
  python tools/check_gpu.py --out a100.md --updates 20 --cases B I-B
  python tools/check_gpu.py --device cpu --small --out check.md

Trains F, B, I and each distillation for some updates in float32, O1 and O2 (float16, bfloat16) from the same weights
on the same batches as the CPU; then scores by the operators and the CUDA kernel of search. Prints pace, memory and
differences; what fails in one case is written down, and the others go on. --device cpu tries the command itself.
"""

import io
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from ..atomic import atomic_path
from ..cli import run_tool, tool_parser
from ..errors import InputError, in_one_line
from ..terminal import say

SMALL = {"batch_size": 8, "hidden": 16, "layers": 1, "heads": 2, "ffn": 16, "words": 40, "regions": 4, "region_dim": 8}


def main(argv):
    """Run tools/check_gpu.py with the arguments ``argv``; raises InputError if something failed."""
    from ..engine.device_check import CASES, CheckSettings, check_training, require_device

    parser = tool_parser(__doc__)
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="what to check (default: %(default)s)")
    parser.add_argument("--out", metavar="FILE", default="gpu_check.md", help="the page (default: %(default)s)")
    parser.add_argument("--updates", type=int, default=8, metavar="N", help="of each training (default: %(default)s)")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help="what to train (default: all)")
    parser.add_argument("--small", action="store_true", help="tiny models, to try the command itself")
    arguments = parser.parse_args(argv)
    if arguments.updates < 1:
        raise InputError(f"--updates {arguments.updates}: give 1 or more")
    require_device(arguments.device)

    from ..engine.device_page import HEADER, describe_machine, describe_settings, format_page, format_row

    sizes = SMALL if arguments.small else {}
    settings = CheckSettings(arguments.updates, **sizes, cases=tuple(arguments.cases))
    machine = describe_machine(arguments.device)
    say("\n".join([*machine, "", describe_settings(settings), "", HEADER]))
    rows, failed = [], 0
    with tempfile.TemporaryDirectory() as place:
        for row in check_training(settings, arguments.device, Path(place)):
            rows.append(format_row(row))
            failed += bool(row.problem)
            say(rows[-1])
    search, broken = _check_search(arguments.device, arguments.small)
    say(f"\n{search}")
    with atomic_path(arguments.out) as temporary:
        page = format_page(machine, describe_settings(settings), rows, search)
        temporary.write_text(page, encoding="utf-8")
    say(f"{arguments.out}: written; please paste it into an issue")
    if failed or broken:
        parts = f"{failed} of {len(rows)} trainings" + " and the check of search" * broken
        raise InputError(f"{parts} failed, see {arguments.out}")


def _check_search(device: str, small: bool) -> tuple[str, bool]:
    """Return what the check of search printed, with what ended it, and whether it failed."""
    from ..search.device.check import main as check_search

    sizes = ["--items", "100", "--dim", "16"] if small else []
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            check_search([*(["--cpu"] if device == "cpu" else []), *sizes])
    except InputError as error:
        return f"{printed.getvalue()}\n{error}", True
    except Exception as error:  # a library of the device: the page is written all the same
        return f"{printed.getvalue()}\nFAILED: {type(error).__name__}: {in_one_line(error)}", True
    return printed.getvalue(), False


if __name__ == "__main__":
    run_tool(main)
