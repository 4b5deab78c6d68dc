"""The colours that pictures and pages share."""

from __future__ import annotations

# Nine strong colours, then nine lighter ones; readable on white, on black and on photos.
_COLOURS = (
    "#1f77b4 #ff7f0e #2ca02c #d62728 #9467bd #8c564b #e377c2 #17becf #bcbd22"
    " #6baed6 #fdae6b #74c476 #fb6a4a #b39ddb #bc8f7f #f4a6d7 #7fdbe6 #d9d95c"
).split()


def colours(n: int) -> list[str]:
    """Return ``n`` colours as #rrggbb; they repeat after eighteen."""
    return [_COLOURS[i % len(_COLOURS)] for i in range(n)]
