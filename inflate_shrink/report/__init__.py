"""Finished runs as the paper's tables and figures: ``tools/report.py``."""

from ..lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "build": ("write_report",),
        "collect": ("Collection", "Group"),
        "runs": ("Bench", "Run", "read_run"),
    },
)
