"""Losses: pure functions of scores."""

from ..cpu import prepare_for_paddle
from ..lazy import lazy_names

prepare_for_paddle()
__getattr__, __all__ = lazy_names(
    __name__,
    {
        "distillation": ("distillation_loss", "full_cross_entropy", "positive_cross_entropy"),
        "matching": ("matching_loss",),
        "ranking": ("contrastive", "hardest_negative", "ranking_loss", "smooth_maximum", "sum_of_hinges"),
    },
)
