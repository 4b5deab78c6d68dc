"""Draw docs/way.svg, the way from a caption and a photo to a score, in the reader's light or dark: python docs/site/way.py."""

from pathlib import Path
from xml.sax.saxutils import escape

STYLE = """
    :root { color-scheme: light dark; --ink: #24292f; --faint: #6e7781; --line: #8c959f; --box: #f3f5f7; --word: #0a6d8a; --region: #b4520a; --code: #7a4fbf; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #e2e6ea; --faint: #9aa4ae; --line: #7d8793; --box: #2a2f36; --word: #58c4e0; --region: #f2a35e; --code: #bb9af7; }
    }
    text { font: 14px system-ui, sans-serif; fill: var(--ink); }
    .small { font-size: 12px; fill: var(--faint); }
    .head { font-weight: 600; }
    .box { fill: var(--box); stroke: var(--line); }
    .arrow { fill: none; stroke: var(--line); stroke-width: 1.5; marker-end: url(#tip); }
    .word { fill: var(--word); } .region { fill: var(--region); } .code { fill: var(--code); }
    .cell { fill: var(--region); stroke: var(--line); stroke-width: 0.5; } .best { stroke: var(--ink); stroke-width: 2; }
"""
# Cosines of four words and a code with five regions and a code, made up: the best of each row counts.
COSINES = [
    [0.1, 0.9, 0.2, 0.1, 0.3, 0.2],
    [0.2, 0.8, 0.3, 0.0, 0.1, 0.3],
    [0.4, 0.3, 0.7, 0.2, 0.1, 0.5],
    [0.1, 0.2, 0.3, 0.9, 0.2, 0.2],
    [0.2, 0.3, 0.4, 0.3, 0.2, 0.8],
]


def text(x, y, words, kind="", anchor="start"):
    """Return a line of text."""
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def box(x, y, width, height, *lines):
    """Return a box with centred lines, the first one bold."""
    parts = [f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>']
    top = y + height / 2 - 9 * (len(lines) - 1) + 5
    for number, line in enumerate(lines):
        parts.append(text(x + width / 2, top + 18 * number, line, "small" if number else "head", "middle"))
    return "".join(parts)


def arrow(*points):
    """Return an arrow through the points."""
    return f'<path class="arrow" d="M{" L".join(f"{x} {y}" for x, y in points)}"/>'


def squares(x, y, kinds):
    """Return a column of fragments."""
    return "".join(
        f'<rect class="{kind}" x="{x}" y="{y + 18 * n}" width="14" height="14" rx="3"/>' for n, kind in enumerate(kinds)
    )


def matrix(x, y, side=22):
    """Return the cosines of all fragments of the two sides, the best of each row framed."""
    parts = []
    for row, values in enumerate(COSINES):
        for column, value in enumerate(values):
            best = " best" if value == max(values) else ""
            place = f'x="{x + side * column}" y="{y + side * row}" width="{side - 3}" height="{side - 3}"'
            parts.append(f'<rect class="cell{best}" {place} fill-opacity="{value:.2f}"/>')
    return "".join(parts)


def picture():
    """Return the SVG."""
    words, regions = ["word"] * 4 + ["code"], ["region"] * 5 + ["code"]
    parts = [
        text(20, 32, "Caption", "head"), text(20, 54, "a red ball left of a box"),
        box(20, 72, 170, 56, "WordPieces", "32 positions, and k codes"),
        text(20, 292, "Photo", "head"),
        box(20, 308, 170, 56, "Regions", "100 boxes, clustered to 32"), text(20, 384, "and k codes", "small"),
        arrow((190, 100), (238, 100)), arrow((190, 336), (238, 336)),
        box(240, 64, 150, 72, "Transformer", "3 layers"), box(240, 300, 150, 72, "Transformer", "the same weights"),
        '<path class="arrow" style="marker-end: none; stroke-dasharray: 4 4" d="M315 136 L315 300"/>',
        text(325, 222, "shared", "small"),
        arrow((390, 100), (438, 100)), arrow((390, 336), (438, 336)),
        squares(448, 56, words), squares(448, 284, regions),
        text(448, 44, "text fragments", "small"), text(448, 412, "image fragments", "small"),
        arrow((474, 100), (550, 100), (550, 200), (592, 200)), arrow((474, 336), (550, 336), (550, 240), (592, 240)),
        text(600, 150, "Late interaction", "head"), matrix(600, 166), text(600, 296, "cosines: a row a text fragment,", "small"),
        text(600, 312, "a column an image fragment", "small"),
        arrow((740, 220), (788, 220)), box(790, 180, 150, 80, "Score", "the best of each row,", "summed"),
        text(600, 352, "I  k codes a side: more to compare, better, slower", "small"),
        text(600, 372, "B  no codes: 32 x 32, distilled from I", "small"),
        text(600, 392, "F  one vector a side, a dot product, distilled from B", "small"),
    ]  # fmt: skip
    tip = '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#8c959f"/></marker></defs>'
    title = "<title>A caption's words and a photo's regions pass one Transformer each, of shared weights; the best cosine of each text fragment is summed to the score.</title>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 430" role="img">{title}<style>{STYLE}</style>{tip}\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("way.svg").write_text(picture(), encoding="utf-8")
