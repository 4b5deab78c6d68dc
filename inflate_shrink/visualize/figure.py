"""A page for matplotlib, measured in inches from its upper left corner."""

from __future__ import annotations

import logging
import textwrap
import warnings
from pathlib import Path

from ..atomic import atomic_path


class Sheet:
    """One page. width, height: in inches."""

    def __init__(self, width: float, height: float):
        logging.getLogger("matplotlib.font_manager").setLevel(logging.WARNING)  # the first picture would tell of fonts
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor="white")

    def axes(self, x: float, y: float, width: float, height: float):
        """Add axes whose upper left corner is at ``x``, ``y``, in inches from that of the sheet."""
        return self.figure.add_axes(
            (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        )

    def text(self, x: float, y: float, text: str, **options):
        """Write ``text`` as it is: a $ starts no formula."""
        return self.figure.text(
            x / self.width, 1 - y / self.height, text, **{"parse_math": False, "va": "top", **options}
        )

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Draw a horizontal bar whose left end is at (x, y)."""
        from matplotlib.patches import Rectangle

        corner = (x / self.width, 1 - (y + height / 2) / self.height)
        self.figure.add_artist(
            Rectangle(
                corner,
                width / self.width,
                height / self.height,
                transform=self.figure.transFigure,
                color=colour,
                linewidth=0,
            )
        )

    def title(self, text: str) -> None:
        """Write a title over the whole width, wrapped."""
        self.text(0.15, 0.12, textwrap.fill(text, int(self.width * 12), max_lines=2), fontsize=11)

    def save(self, path: Path) -> None:
        """Write a PNG, whole or not at all."""
        with atomic_path(path) as temporary, warnings.catch_warnings():
            # Drawn as boxes; the page shows every alphabet.
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            self.figure.savefig(temporary, format="png", dpi=120)
