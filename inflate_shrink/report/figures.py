"""Figures 1 and 3: t2i R@1 against what a candidate costs, published on the left and ours on the right."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..atomic import atomic_path
from .collect import Group
from .complexity import (
    FIGURE_1,
    FIGURE_3,
    Point,
    Series,
    measured_costs,
    measured_interactions,
    published_costs,
    published_interactions,
)
from .runs import Bench

# Colours of Okabe and Ito, told apart by the colour-blind and, with the markers, in grey.
_GREY, _GREEN, _BLUE, _RED, _PURPLE = "#5f5f5f", "#009e73", "#0072b2", "#d55e00", "#aa4499"
_STYLES = {  # series -> colour, marker, its size; Figure 3's are those of the paper
    **dict(zip(FIGURE_1, ((_RED, "*", 9), (_BLUE, "^", 8), (_PURPLE, "D", 5), (_GREY, "s", 5)))),
    **dict(zip(FIGURE_3, ((_GREY, "o", 5), (_BLUE, "^", 6), (_GREEN, "s", 5), (_RED, "*", 9)))),
}
_SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "inflate_shrink",  # the same ids in every run
}
_HOLLOW = "VisualSparta"  # B's point lies under it
_BELOW = ("without", "only shrinking")  # series of Figure 3 whose labels are below their lines
_LABEL = 7  # points
# The line from a point to a name that was moved away from it.
_LEADER = {"arrowstyle": "-", "color": "#9a9a9a", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3}


class FigureFile(NamedTuple):
    """A figure that was written: its files without the directory, and its caption."""

    files: list[str]
    caption: str


def draw_figure_1(directory: Path, bench: Bench, groups: list[Group]) -> FigureFile | None:
    """Draw figure1-DATA.png and .svg; return None without anything to draw."""
    caption = (
        "Figure 1. t2i R@1 against the multiply-adds to score one more image for an encoded text. "
        "Left: published, MSCOCO1K. The costs of Unicoder-VL and 12-in-1 are estimates, "
        "both as one BERT-base over 100 regions and 32 words, and both were pre-trained on other multi-modal data. "
        "Models that differ from these in their loss alone (VSE++ and joint ones, at F's cost) are in Table 5 only. "
        + _right(bench)
    )
    series = published_costs(), measured_costs(groups, bench)
    return _draw(
        directory, "figure1", bench, series, ("multiply-adds per candidate image", _decades), caption, joined=False
    )


def draw_figure_3(directory: Path, bench: Bench, groups: list[Group]) -> FigureFile | None:
    """Draw figure3-DATA.png and .svg; return None without anything to draw."""
    caption = (
        "Figure 3. t2i R@1 against interactions, without inflating and shrinking (Table 6), "
        "with only inflating (Table 1), only shrinking (Table 7) and both (Tables 2 and 9, "
        "the best model at each number of interactions). Left: published, MSCOCO1K. " + _right(bench)
    )
    series = published_interactions(), measured_interactions(groups, bench)
    return _draw(directory, "figure3", bench, series, ("interactions", _squares), caption, joined=True)


def _right(bench: Bench) -> str:
    same = "other images or another protocol, on an axis of its own"
    if bench.paper == "coco1k":
        same = "the same images and protocol, on one axis"
    measured = f"{bench.data}, split {bench.split}, protocol {bench.protocol}, {bench.images:,} images"
    shown = "the first of several configs of a model, and no model that was measured on other images"
    return f"Right: ours, {measured}: {same}; {shown}. Bars are deviations over seeds."


def _draw(
    directory: Path, name: str, bench: Bench, series: tuple[Series, Series], x_axis: tuple, caption: str, joined: bool
) -> FigureFile | None:
    """Write PNG and SVG of published and measured ``series``, with the label of the x axis and the function that sets
    its ticks."""
    published, ours = series
    x_label, set_ticks = x_axis
    if not any(ours.values()):
        return None
    files = [f"{name}-{bench.data}.{kind}" for kind in ("png", "svg")]
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(7.2, 3.5), facecolor="white", layout="none")
        panels = figure.subplots(1, 2, sharex=True, sharey=bench.paper == "coco1k")
        figure.subplots_adjust(left=0.075, right=0.985, top=0.91, bottom=0.25, wspace=0.16)
        titles = ("published, MSCOCO1K", f"ours, {bench.data}, {bench.images:,} images ({bench.protocol})")
        for axes, side, title in zip(panels, series, titles):
            _plot(axes, side, joined)
            axes.set_title(title, fontsize=8.5, loc="left", parse_math=False)
            axes.set_xlabel(x_label)
            axes.yaxis.set_major_locator(MaxNLocator(7, integer=True))
        for axes in panels if bench.paper != "coco1k" else panels[:1]:
            axes.set_ylabel("t2i R@1, %")
        set_ticks(panels[0], [point for side in series for points in side.values() for point in points])
        _set_heights(panels, series, bench.paper == "coco1k")
        for axes, side in zip(panels, series):
            if joined:
                _label_lines(axes, side)
            else:
                _label_columns(axes, [point for key, points in side.items() for point in points if point.label != key])
        _legend(figure, [key for key in _STYLES if key in published or key in ours], joined)
        for file in files:
            with atomic_path(directory / file) as temporary:
                kind = file.rsplit(".", 1)[1]
                figure.savefig(temporary, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else None)
    return FigureFile(files, caption)


def _plot(axes: Axes, series: Series, joined: bool) -> None:
    axes.set_xscale("log")
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    for name, points in series.items():
        x, y, deviations = [p.x for p in points], [p.y for p in points], [p.deviation for p in points]
        if any(deviations):
            axes.errorbar(x, y, yerr=deviations, fmt="none", ecolor=_STYLES[name][0], elinewidth=0.8, capsize=2)
        axes.plot(x, y, **_look(name, joined))


def _set_heights(panels, series: tuple[Series, Series], shared: bool) -> None:
    """Leave room around the points of each panel, or of both where the axis is one."""
    found = [
        [end for points in each.values() for p in points for end in (p.y - p.deviation, p.y + p.deviation)]
        for each in series
    ]
    for axes, values in zip(panels, [found[0] + found[1]] * 2 if shared else found):
        room = max(0.1 * (max(values) - min(values)), 0.5)
        axes.set_ylim(min(values) - room, max(values) + room)


def _decades(axes: Axes, points: list[Point]) -> None:
    axes.set_xlim(min(p.x for p in points) / 4, max(p.x for p in points) * 6)
    axes.xaxis.set_major_locator(LogLocator(numticks=20))
    axes.xaxis.set_minor_locator(NullLocator())


def _squares(axes: Axes, points: list[Point]) -> None:
    """Put ticks at powers of four, written as the squares they are."""
    axes.set_xlim(0.6, max(p.x for p in points) * 2.2)
    axes.xaxis.set_major_locator(FixedLocator([4**i for i in range(8)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{round(x**0.5)}²"))


def _look(name: str, joined: bool) -> dict:
    """Return line and marker of a series."""
    colour, marker, size = _STYLES[name]
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.5}
    if name == _HOLLOW:
        edge = {"markerfacecolor": "none", "markeredgewidth": 1.0}
    return {
        "color": colour,
        "marker": marker,
        "markersize": size,
        "linestyle": "-" if joined else "none",
        "linewidth": 1.2,
        **edge,
    }


def _label_lines(axes: Axes, series: Series) -> None:
    """Write names above or below their points, clear of the lines."""
    for name, points in series.items():
        sign, beside = (-1, "left") if name in _BELOW else (1, "center")
        for point in points:
            axes.annotate(
                point.label,
                (point.x, point.y + sign * point.deviation),
                xytext=(0, 5 * sign),
                textcoords="offset points",
                ha=beside,
                va="bottom" if sign > 0 else "top",
                fontsize=_LABEL,
                parse_math=False,
            )


def _label_columns(axes: Axes, points: list[Point]) -> None:
    """Write a name beside each point, on the side with more room; names at one x are moved apart."""
    height = axes.get_position().height * axes.figure.get_figheight() * 72  # points
    low, high = axes.get_ylim()
    gap = 1.15 * _LABEL * (high - low) / height
    columns = sorted({p.x for p in points})
    left, right = axes.get_xlim()
    for i, x in enumerate(columns):
        to_left = x / (columns[i - 1] if i else left)
        to_right = (columns[i + 1] if i + 1 < len(columns) else right) / x
        side = 1 if to_right >= to_left else -1
        column = sorted((p for p in points if p.x == x), key=lambda p: p.y)
        for point, y in zip(column, _apart([p.y for p in column], gap, low + gap / 2, high - gap / 2)):
            moved = abs(y - point.y) > 0.3 * gap
            axes.annotate(
                point.label,
                (point.x, point.y),
                xytext=(side * (14 if moved else 6), (y - point.y) * height / (high - low)),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=_LABEL,
                parse_math=False,
                arrowprops=_LEADER if moved else None,
            )


def _apart(values: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move ``values``, ascending, as little as needed to be ``gap`` apart: clusters spread around their means."""
    clusters: list[list[float]] = []
    for value in values:
        clusters.append([value])
        while (
            len(clusters) > 1
            and _spread(clusters[-2], gap, low, high)[-1] + gap > _spread(clusters[-1], gap, low, high)[0]
        ):
            clusters[-2:] = [clusters[-2] + clusters[-1]]
    return [y for cluster in clusters for y in _spread(cluster, gap, low, high)]


def _spread(cluster: list[float], gap: float, low: float, high: float) -> list[float]:
    half = gap * (len(cluster) - 1) / 2
    middle = min(max(sum(cluster) / len(cluster), low + half), max(high - half, low + half))
    return [middle - half + gap * i for i in range(len(cluster))]


def _legend(figure: Figure, names: list[str], joined: bool) -> None:
    handles = [Line2D([], [], label=name, **_look(name, joined)) for name in names]
    figure.legend(
        handles=handles, loc="lower center", ncol=len(handles), frameon=False, handletextpad=0.5, columnspacing=2.0
    )
