"""Attention as one picture: a grid of heat maps, and beside it each layer as lines between two columns (Vig 2019)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Sequence

import numpy as np

from ..errors import InputError
from .attention import Attention
from .figure import Sheet
from .labels import shorten
from .palette import colours

_INCH_PER_LABEL = 0.11
_GAP = 0.12
_GRID = 11  # inches of the grid's width, unless maps would be smaller than _LEAST
_LEAST = 1.5
_PANEL = 1.6  # inches of a layer's lines without their labels
_BORDER = {"color": "#d62728", "linewidth": 0.8, "linestyle": (0, (4, 2))}  # between words, or regions, and codes
_FAINTEST = 0.05  # share of the strongest line; thousands of fainter ones would only grey the picture


def chosen(numbers: Sequence[int] | None, count: int, option: str) -> list[int]:
    """Return layers or heads counted from 0, as the user counts them from 1; None is all. Raises InputError out of
    range."""
    for number in numbers or ():
        if not 1 <= number <= count:
            raise InputError(f"{option} must be from 1 to {count}, the model's, found {number}")
    return [number - 1 for number in numbers] if numbers else list(range(count))


def draw_attention(attention: Attention, title: str, layers: list[int], heads: list[int], path: Path) -> None:
    """Write a PNG. layers, heads: which, from 0. The grid has its longer side across, and a line parts words or
    regions from codes."""
    labels = [shorten(label, 14) for label in attention.labels]
    first_code = next((position for position, label in enumerate(attention.labels) if label.startswith("code ")), None)
    weights = attention.weights[np.ix_(layers, heads)]
    names = [
        [(f"layer {layer + 1}", "black") for layer in layers],
        [(f"head {head + 1}", colours(head + 1)[head]) for head in heads],
    ]
    across = len(heads) < len(layers)  # layers lie side by side
    maps, (rows, columns) = (weights.swapaxes(0, 1), names[::-1]) if across else (weights, names)

    margin = 0.15 + 0.065 * max(map(len, labels))
    side = min(_INCH_PER_LABEL * len(labels), max(_LEAST, _GRID / len(columns)))  # the side of a heat map
    grid_width, height = len(columns) * (side + _GAP), max(len(rows) * (side + _GAP), _INCH_PER_LABEL * len(labels))
    lines_left, panel = margin + grid_width + 0.95, _PANEL + 2 * margin
    sheet = Sheet(lines_left + panel * len(layers), 0.85 + height + margin)
    sheet.title(title)
    for row, (row_name, row_colour) in enumerate(rows):
        for column, (name, colour) in enumerate(columns):
            axes = sheet.axes(margin + column * (side + _GAP), 0.75 + row * (side + _GAP), side, side)
            image = _heat_map(axes, maps[row, column], weights.max(), first_code)
            if row == 0:
                axes.set_title(name, fontsize=9, pad=4, color=colour)
            _rim(axes, labels, side, left=column == 0, bottom=row == len(rows) - 1)
        sheet.text(
            margin + grid_width,
            0.75 + row * (side + _GAP) + side / 2,
            row_name,
            rotation=90,
            va="center",
            fontsize=9,
            color=row_colour,
        )
    bar = sheet.axes(margin + grid_width + 0.3, 0.75, 0.1, min(side, 2.0))
    sheet.figure.colorbar(image, cax=bar).ax.tick_params(labelsize=6, length=2, pad=1)
    bar.set_title("attention", fontsize=7, pad=4)
    for column, layer in enumerate(layers):
        axes = sheet.axes(lines_left + column * panel + margin, 0.75, _PANEL, height)
        _lines(axes, weights[column], labels, [colours(head + 1)[head] for head in heads], first_code)
        axes.set_title(
            f"layer {layer + 1}" + (", heads by colour" if len(heads) > 1 else f", head {heads[0] + 1}"),
            fontsize=9,
            pad=4,
        )
    sheet.save(path)


def _heat_map(axes, weights: np.ndarray, strongest: float, first_code: int | None):
    """Draw one heat map, in the square root of attention, or one strong position would leave all others white."""
    from matplotlib.colors import PowerNorm

    axes.tick_params(length=0, pad=2)
    if first_code:
        axes.axhline(first_code - 0.5, **_BORDER)
        axes.axvline(first_code - 0.5, **_BORDER)
    return axes.imshow(weights, cmap="Blues", norm=PowerNorm(0.5, 0, strongest), interpolation="nearest", aspect="auto")


def _rim(axes, labels: list[str], side: float, left: bool, bottom: bool) -> None:
    """Write the labels of as many positions as there is room for."""
    every = math.ceil(0.085 * len(labels) / side)
    ticks = range(0, len(labels), every)
    names = [labels[tick] for tick in ticks]
    axes.set_xticks(ticks, names if bottom else [], rotation=90, fontsize=6, parse_math=False)
    axes.set_yticks(ticks, names if left else [], fontsize=6, parse_math=False)


def _lines(axes, weights: np.ndarray, labels: list[str], head_colours: list[str], first_code: int | None) -> None:
    """Draw a layer as lines; the position that attends is on the left.

    weights: (heads, L, L). Opacity is attention beyond an even share, relative to the strongest.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    beyond = weights - 1 / len(labels)
    strength = beyond / max(beyond.max(), 1e-9)
    head, source, target = np.nonzero(strength >= _FAINTEST)
    order = np.argsort(strength[head, source, target])  # the strongest on top
    head, source, target = head[order], source[order], target[order]
    segments = np.stack([np.stack([np.zeros(len(source)), source], 1), np.stack([np.ones(len(source)), target], 1)], 1)
    rgb = np.array([to_rgb(colour) for colour in head_colours])[head]
    axes.add_collection(
        LineCollection(
            segments, colors=np.concatenate([rgb, strength[head, source, target][:, None]], 1), linewidths=1.2
        )
    )
    if first_code:
        axes.axhline(first_code - 0.5, -0.35, 1.35, clip_on=False, **_BORDER)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks(range(len(labels)), labels, fontsize=7, parse_math=False)
    axes.tick_params(length=0, pad=3, labelright=True)
    axes.set_frame_on(False)
