"""Which region each word chose as one picture: boxes on the photo, and the words with their cosines."""

from __future__ import annotations

from pathlib import Path

from .choices import Choice, Match
from .figure import Sheet
from .labels import is_quiet, shorten
from .palette import colours
from .photo import Scene

UNSEEN = "#808080"  # what no word that names something chose, or is no region
_PHOTO = 5.6  # inches of the longer side
_ROW, _COLUMN, _ROWS = 0.27, 3.1, 20  # inches of a row and of a column of the list, and rows in a column


def region_colours(match: Match) -> dict[int, str]:
    """Choose a colour for each region that a word chose, in the order of the words; quiet ones
    (:func:`.labels.is_quiet`) give none."""
    regions = list(
        dict.fromkeys(
            choice.region for choice in match.words if choice.region is not None and not is_quiet(choice.text)
        )
    )
    return dict(zip(regions, colours(len(regions))))


def draw_match(match: Match, scene: Scene, title: str, path: Path) -> None:
    """Write a PNG."""
    columns = [
        side[start : start + _ROWS] for side in (match.words, match.codes) for start in range(0, len(side), _ROWS)
    ]
    scale = _PHOTO / max(scene.width, scene.height)
    top, list_top = 1.0, 1.0
    sheet = Sheet(
        0.3 + scene.width * scale + 0.3 + _COLUMN * len(columns),
        top + max(scene.height * scale, _ROW * max(map(len, columns))) + 0.3,
    )
    sheet.title(f"{title} {scene.note}".strip())
    sheet.text(0.15, 0.62, match.describe(), fontsize=9, color="#555555")
    coloured = region_colours(match)
    _photo(sheet.axes(0.3, top, scene.width * scale, scene.height * scale), match, scene, coloured)
    for number, choices in enumerate(columns):
        for row, choice in enumerate(choices):
            _entry(
                sheet,
                0.3 + scene.width * scale + 0.3 + _COLUMN * number,
                list_top + _ROW * (row + 0.5),
                choice,
                coloured,
            )
    sheet.save(path)


def _photo(axes, match: Match, scene: Scene, coloured: dict[int, str]) -> None:
    from matplotlib.patches import Rectangle

    if scene.photo is not None:
        axes.imshow(scene.photo, extent=(0, scene.width, scene.height, 0), aspect="auto")
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    taken: list = []  # where labels are
    for region, colour in coloured.items():
        x1, y1, x2, y2 = scene.boxes[region]
        if x2 > x1 and y2 > y1:
            words = " ".join(
                dict.fromkeys(
                    choice.text for choice in match.words if choice.region == region and not is_quiet(choice.text)
                )
            )
            for line in ({"edgecolor": "white", "linewidth": 4}, {"edgecolor": colour, "linewidth": 2.2}):
                axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, facecolor="none", **line))
            _label(axes, shorten(words, 24), (x1, y1, x2, y2), colour, taken)


def _label(axes, words: str, box: tuple, colour: str, taken: list) -> None:
    """Write at a corner of the box, of eight places at the one that hides least of the labels before, whose places
    are ``taken``."""
    x1, y1, x2, y2 = box
    places = [
        (x, y, ha, va)
        for y, va in ((y1, "top"), (y1, "bottom"), (y2, "top"), (y2, "bottom"))
        for x, ha in ((x1, "left"), (x2, "right"))
    ]
    look = {"facecolor": colour, "edgecolor": "white", "linewidth": 0.6, "pad": 1.5}
    label = axes.text(x1, y1, words, fontsize=7, color="white", bbox=look, parse_math=False)

    def extent(place):
        label.set(x=place[0], y=place[1], ha=place[2], va=place[3])
        return label.get_window_extent().padded(4)

    def hidden(place):
        found, whole = extent(place), axes.get_window_extent()
        outside = found.width * found.height - _shared(found, whole)
        return outside + sum(_shared(found, other) for other in taken)

    taken.append(extent(min(places, key=hidden)))


def _shared(one, other) -> float:
    """Return the area in which two extents lie on each other."""
    width, height = (min(one.x1, other.x1) - max(one.x0, other.x0)), (min(one.y1, other.y1) - max(one.y0, other.y0))
    return max(width, 0) * max(height, 0)


def _entry(sheet: Sheet, x: float, y: float, choice: Choice, coloured: dict[int, str]) -> None:
    """Draw a row of the list: the word, the region that it chose, the cosine as a bar and in figures."""
    quiet = is_quiet(choice.text)
    colour = UNSEEN if quiet else coloured.get(choice.region, UNSEEN)
    sheet.text(
        x, y, shorten(choice.text, 14), fontsize=9, color=colour, weight="normal" if quiet else "bold", va="center"
    )
    sheet.text(x + 1.05, y, choice.image, fontsize=8, color=colour, va="center")
    sheet.bar(x + 1.8, y, 0.8 * max(choice.cosine, 0), (0.2 if quiet else 0.6) * _ROW, colour)
    sheet.text(x + 1.85 + 0.8 * max(choice.cosine, 0), y, f"{choice.cosine:.2f}", fontsize=8, va="center")
