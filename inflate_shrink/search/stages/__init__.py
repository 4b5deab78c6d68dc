"""The fitted first stage of a cascade: what makes it, what is kept of it, and how many candidates it needs.

Constant files of an index that has the field ``fitted``:

    stages/query.npz           what makes the first stage's vector of a query (:class:`inflate_shrink.fitted.QueryFeatures`)
    stages/items.npz           what makes the vectors of items, and sample queries: for additions
    stages/budgets-COMMIT.json how many candidates find which share of the exact best, as measured at that commit

NumPy only: no model, no Paddle.
"""

from .budgets import Budgets, measure_budgets, read_budgets, update_budgets
from .files import FITTED, FRAGMENTS, STAGES, QuerySample, StageFit, read_fit, read_maker, write_fit
from .fitting import fit_stage_to, fitted_vectors

__all__ = [
    "FITTED",
    "FRAGMENTS",
    "STAGES",
    "Budgets",
    "QuerySample",
    "StageFit",
    "fit_stage_to",
    "fitted_vectors",
    "measure_budgets",
    "read_budgets",
    "read_fit",
    "read_maker",
    "update_budgets",
    "write_fit",
]
