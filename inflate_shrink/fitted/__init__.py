"""Fitted vectors: one vector an item whose product with a query's features predicts the item's exact score.

NumPy and the kernel only, so that an index can use it without Paddle. Nothing is trained: linear algebra finds the
vectors from exact scores of the items with a sample of queries (the idea of LEMUR, Jääsaari et al. 2026).
"""

from .features import QueryFeatures
from .quality import ceiling, correlation, share_of_best
from .regression import Fit, FitSettings, exact_scores, fit, fit_items, refit

__all__ = [
    "Fit",
    "FitSettings",
    "QueryFeatures",
    "ceiling",
    "correlation",
    "exact_scores",
    "fit",
    "fit_items",
    "refit",
    "share_of_best",
]
