"""The pictures as HTML pages: one file each, which loads nothing."""

from __future__ import annotations

import base64
import html
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from .attention import Attention
from .choices import Choice, Match
from .labels import is_quiet
from .match_figure import UNSEEN, region_colours
from .palette import colours
from .photo import Scene

if TYPE_CHECKING:
    from PIL import Image

_TEMPLATES = Path(__file__).parent
_SCALE = 1000  # attention as whole thousandths: a third of the bytes, and more digits than can be seen
_PHOTO_SIDE = 1200  # pixels at most


def attention_page(attention: Attention, title: str) -> str:
    """Write a page with layer and head to choose, the PNG's lines and heat map, and a position's attention on
    hovering it."""
    layers, heads = attention.weights.shape[:2]
    weights = (attention.weights * _SCALE).round().astype(int).reshape(layers, heads, -1)
    return _fill(
        "attention.html",
        title,
        {"labels": attention.labels, "weights": weights.tolist(), "scale": _SCALE, "colours": colours(heads)},
    )


def match_page(match: Match, scene: Scene, title: str) -> str:
    """Write a page with the boxes on the photo, and a word's box and cosine on hovering it."""
    coloured = region_colours(match)

    def entry(choice: Choice) -> dict:
        return {**choice._asdict(), "colour": UNSEEN if is_quiet(choice.text) else coloured.get(choice.region, UNSEEN)}

    data = {
        "words": [entry(choice) for choice in match.words],
        "codes": [entry(choice) for choice in match.codes],
        "score": match.describe(),
        "width": scene.width,
        "height": scene.height,
        "boxes": scene.boxes.tolist(),
        "photo": _data_uri(scene.photo) if scene.photo else "",
    }
    return _fill("match.html", f"{title} {scene.note}".strip(), data)


def _fill(template: str, title: str, data: dict) -> str:
    """Fill the three holes of a template.

    ``data`` can hold any text: the page reads it as JSON in which no tag can begin.
    """
    page = (_TEMPLATES / template).read_text(encoding="utf-8")
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    script_safe = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    for hole, content in (("STYLE", style), ("TITLE", html.escape(title)), ("DATA", script_safe)):
        page = page.replace(f"<!--{hole}-->", content)
    return page


def _data_uri(photo: Image.Image) -> str:
    small, file = photo.copy(), io.BytesIO()
    small.thumbnail((_PHOTO_SIDE, _PHOTO_SIDE))
    small.save(file, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
