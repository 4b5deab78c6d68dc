"""Which region each word chose as one picture: boxes on the photo, and the words with their cosines."""

from __future__ import annotations

from pathlib import Path

from .figure import Sheet
from .labels import shorten
from .match import Choice, Match
from .palette import colours
from .photo import Scene

UNSEEN = "#808080"  # of what no word chose, or is no region
_PHOTO = 5.6  # inches of the longer side
_ROW, _COLUMN, _ROWS = 0.27, 3.1, 20  # inches of a row and of a column of the list, and rows in a column


def region_colours(match: Match) -> dict[int, str]:
    """A colour for each region that a word chose, in the order of the words."""
    regions = list(dict.fromkeys(choice.region for choice in match.words if choice.region is not None))
    return dict(zip(regions, colours(len(regions))))


def draw_match(match: Match, scene: Scene, title: str, path: Path) -> None:
    """Write a PNG."""
    columns = [side[start : start + _ROWS] for side in (match.words, match.codes) for start in range(0, len(side), _ROWS)]
    scale = _PHOTO / max(scene.width, scene.height)
    top, list_top = 1.0, 1.0
    sheet = Sheet(0.3 + scene.width * scale + 0.3 + _COLUMN * len(columns), top + max(scene.height * scale, _ROW * max(map(len, columns))) + 0.3)
    sheet.title(f"{title} {scene.note}".strip())
    sheet.text(0.15, 0.62, match.describe(), fontsize=9, color="#555555")
    coloured = region_colours(match)
    _photo(sheet.axes(0.3, top, scene.width * scale, scene.height * scale), match, scene, coloured)
    for number, choices in enumerate(columns):
        for row, choice in enumerate(choices):
            _entry(sheet, 0.3 + scene.width * scale + 0.3 + _COLUMN * number, list_top + _ROW * (row + 0.5), choice, coloured)
    sheet.save(path)


def _photo(axes, match: Match, scene: Scene, coloured: dict[int, str]) -> None:
    from matplotlib.patches import Rectangle

    if scene.photo is not None:
        axes.imshow(scene.photo, extent=(0, scene.width, scene.height, 0), aspect="auto")
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    for region, colour in coloured.items():
        x1, y1, x2, y2 = scene.boxes[region]
        if x2 > x1 and y2 > y1:
            words = " ".join(dict.fromkeys(choice.text for choice in match.words if choice.region == region))
            for line in ({"edgecolor": "white", "linewidth": 4}, {"edgecolor": colour, "linewidth": 2.2}):
                axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, facecolor="none", **line))
            label = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.6, "pad": 1.5}
            axes.text(x1, y1, shorten(words, 24), fontsize=7, color="white", bbox=label, va="top", parse_math=False)


def _entry(sheet: Sheet, x: float, y: float, choice: Choice, coloured: dict[int, str]) -> None:
    """A row of the list: the word, the region that it chose, the cosine as a bar and in figures."""
    colour = coloured.get(choice.region, UNSEEN)
    sheet.text(x, y, shorten(choice.text, 14), fontsize=9, color=colour, weight="bold", va="center")
    sheet.text(x + 1.05, y, choice.image, fontsize=8, color=colour, va="center")
    sheet.bar(x + 1.8, y, 0.8 * max(choice.cosine, 0), 0.6 * _ROW, colour)
    sheet.text(x + 1.85 + 0.8 * max(choice.cosine, 0), y, f"{choice.cosine:.2f}", fontsize=8, va="center")
