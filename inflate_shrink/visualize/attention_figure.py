"""Attention as one picture: a grid of heat maps, and each layer as lines between two columns (Vig 2019)."""

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
_FAINTEST = 0.05  # of the strongest line; thousands of fainter ones would only grey the picture


def chosen(numbers: Sequence[int] | None, count: int, option: str) -> list[int]:
    """Layers or heads from 0, given as the user counts them, from 1; None is all. Raises InputError out of range."""
    for number in numbers or ():
        if not 1 <= number <= count:
            raise InputError(f"{option} must be from 1 to {count}, the model's, found {number}")
    return [number - 1 for number in numbers] if numbers else list(range(count))


def draw_attention(attention: Attention, title: str, layers: list[int], heads: list[int], path: Path) -> None:
    """Write a PNG. layers, heads: which, from 0."""
    size = len(attention.labels)
    labels = [shorten(label, 14) for label in attention.labels]
    margin = 0.15 + 0.065 * max(map(len, labels))
    side = min(_INCH_PER_LABEL * size, max(1.5, 22 / len(heads)))  # of a heat map
    grid_width, grid_height = len(heads) * (side + _GAP), len(layers) * (side + _GAP)
    lines_height = _INCH_PER_LABEL * size
    lines_width = min(max(grid_width / len(layers), 2.4 + 2 * margin), 8)  # of a layer's panel
    width = margin + max(grid_width, lines_width * len(layers)) + 0.9
    sheet = Sheet(width, 1.4 + grid_height + margin + lines_height)
    sheet.title(title)

    weights = attention.weights[np.ix_(layers, heads)]
    for row, layer in enumerate(layers):
        for column, head in enumerate(heads):
            axes = sheet.axes(margin + column * (side + _GAP), 0.75 + row * (side + _GAP), side, side)
            image = _heat_map(axes, weights[row, column], weights.max())
            if row == 0:
                axes.set_title(f"head {head + 1}", fontsize=9, pad=4, color=colours(head + 1)[head])
            _rim(axes, labels, side, left=column == 0, bottom=row == len(layers) - 1)
        sheet.text(margin + grid_width, 0.75 + row * (side + _GAP) + side / 2, f"layer {layer + 1}", rotation=90, va="center", fontsize=10)
    bar = sheet.axes(margin + grid_width + 0.3, 0.75, 0.1, min(side, 2.0))
    sheet.figure.colorbar(image, cax=bar).ax.tick_params(labelsize=6, length=2, pad=1)
    bar.set_title("attention", fontsize=7, pad=4)

    top = 1.15 + grid_height + margin
    for column, layer in enumerate(layers):
        axes = sheet.axes(margin + column * lines_width, top, lines_width - 2 * margin, lines_height)
        _lines(axes, weights[column], labels, [colours(head + 1)[head] for head in heads])
        axes.set_title(f"layer {layer + 1}" + (", heads by colour" if len(heads) > 1 else f", head {heads[0] + 1}"), fontsize=9, pad=4)
    sheet.save(path)


def _heat_map(axes, weights: np.ndarray, strongest: float):
    """Square root of the colour scale, or one strong position would leave all others white."""
    from matplotlib.colors import PowerNorm

    axes.tick_params(length=0, pad=2)
    return axes.imshow(weights, cmap="Blues", norm=PowerNorm(0.5, 0, strongest), interpolation="nearest", aspect="auto")


def _rim(axes, labels: list[str], side: float, left: bool, bottom: bool) -> None:
    """Labels of as many positions as there is room for."""
    every = math.ceil(0.085 * len(labels) / side)
    ticks = range(0, len(labels), every)
    names = [labels[tick] for tick in ticks]
    axes.set_xticks(ticks, names if bottom else [], rotation=90, fontsize=6, parse_math=False)
    axes.set_yticks(ticks, names if left else [], fontsize=6, parse_math=False)


def _lines(axes, weights: np.ndarray, labels: list[str], head_colours: list[str]) -> None:
    """weights: (heads, L, L). The position that attends is on the left. Opacity is attention beyond an even share, relative to the strongest."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    beyond = weights - 1 / len(labels)
    strength = beyond / max(beyond.max(), 1e-9)
    head, source, target = np.nonzero(strength >= _FAINTEST)
    order = np.argsort(strength[head, source, target])  # the strongest on top
    head, source, target = head[order], source[order], target[order]
    segments = np.stack([np.stack([np.zeros(len(source)), source], 1), np.stack([np.ones(len(source)), target], 1)], 1)
    rgb = np.array([to_rgb(colour) for colour in head_colours])[head]
    axes.add_collection(LineCollection(segments, colors=np.concatenate([rgb, strength[head, source, target][:, None]], 1), linewidths=1.2))
    axes.set_xlim(0, 1)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks(range(len(labels)), labels, fontsize=7, parse_math=False)
    axes.tick_params(length=0, pad=3, labelright=True)
    axes.set_frame_on(False)
