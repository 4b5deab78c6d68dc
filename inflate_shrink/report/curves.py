"""Curves of several trainings together, of what each wrote in its scalars.jsonl."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from matplotlib.figure import Figure

from ..atomic import atomic_path
from ..engine.scalars import SCALARS, read_scalars
from ..errors import InputError

PANELS = {  # what scalars.jsonl calls it -> the title of its panel
    "loss": "loss",
    "rsum": "rsum, validation",
    "t2i_r1": "t2i R@1, validation",
    "i2t_r1": "i2t R@1, validation",
    "lr": "learning rate",
    "gradient_norm": "gradient norm",
    "loss_scale": "loss scale",
    "pairs_per_second": "pairs/s",
    "peak_mib": "peak memory, MiB",
}
_COLUMNS = 3
_KINDS = (".png", ".svg")


def draw_curves(runs: Sequence[Path], out: Path) -> Figure:
    """Draw a panel for each number that a run has, by update, with a line for each run; returns what was drawn.

    Raises InputError for a run without scalars, damaged ones, or a file that is no picture's.
    """
    if out.suffix not in _KINDS:
        raise InputError(f"--out {out}: expected a name that ends in {' or '.join(_KINDS)}")
    scalars = {str(run): read_scalars(run) for run in runs}
    known = {name for lines in scalars.values() for line in lines for name in line}
    panels = [name for name in PANELS if name in known]
    if not panels:
        raise InputError(f"{runs[0] / SCALARS}: no update is logged yet (run.log_steps); try again later")
    rows = -(-len(panels) // _COLUMNS)
    figure = Figure(figsize=(4 * _COLUMNS, 2.6 * rows + 0.3 * len(scalars)), facecolor="white", layout="constrained")
    grid, longest = figure.subplots(rows, _COLUMNS, squeeze=False).ravel(), _last_update(scalars)
    for axes, name in zip(grid, panels):
        for number, lines in enumerate(scalars.values()):
            points = [(line["step"], line[name]) for line in lines if name in line]
            axes.plot(*zip(*points) if points else ([], []), color=f"C{number}", linewidth=1.2, **_dots(points))
        axes.set_xlim(0, longest)
        axes.set_title(PANELS[name], fontsize=9, loc="left")
        axes.set_xlabel("update", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(color="#e4e4e4", linewidth=0.6)
    for axes in grid[len(panels) :]:
        axes.remove()
    names = [run.replace("$", r"\$") for run in scalars]  # a $ starts a formula
    figure.legend(grid[0].lines, names, loc="outside lower center", fontsize=8, frameon=False)
    with atomic_path(out) as temporary:
        figure.savefig(temporary, format=out.suffix[1:], dpi=120)
    return figure


def _last_update(scalars: dict[str, list[dict]]) -> float:
    """Return where the axes of updates end, a little after the last one."""
    return 1.02 * max(1, *(line["step"] for lines in scalars.values() for line in lines))


def _dots(points: list[tuple]) -> dict:
    """Return a line's marker: a dot where there are few points, for one alone is no line."""
    return {"marker": "o", "markersize": 3} if len(points) < 10 else {}
