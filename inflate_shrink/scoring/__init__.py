"""How encoded texts and images are scored: pure functions (text, image) -> (images, texts).

``late_interaction`` is the paper's (Eq. 3, Eq. 5); the others are its neighbours of Table 5
on the same encoder.
"""

from __future__ import annotations

from functools import partial
from typing import Callable

from ..config import ModelConfig
from ..cpu import prepare_for_paddle

prepare_for_paddle()

from .fragments import Fragments, normalize
from .late_interaction import late_interaction
from .scan import scan
from .visual_sparta import visual_sparta

__all__ = ["Fragments", "late_interaction", "normalize", "scan", "scoring_function", "visual_sparta"]


def scoring_function(config: ModelConfig) -> Callable:
    """Return the score that ``config`` describes, as ``f(text, image) -> (images, texts)`` of two :class:`Fragments`.

    A cross-BERT has none: it scores pairs, not fragments.

    >>> scoring_function(ModelConfig(scoring="late_interaction")) is late_interaction
    True
    """
    scan_by = partial(scan, pooling=config.pooling)
    return {
        "late_interaction": late_interaction,
        "visual_sparta": visual_sparta,
        "scan_t2i": partial(scan_by, query="text"),
        "scan_i2t": partial(scan_by, query="image"),
    }[config.scoring]
