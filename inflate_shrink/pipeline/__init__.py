"""Pipelines of training and distillation: planned, run as processes, measured; result.json is what comes out."""

from ..cpu import prepare_for_paddle
from ..lazy import lazy_names

prepare_for_paddle()
__getattr__, __all__ = lazy_names(
    __name__,
    {
        "cost": ("describe_plan",),
        "measure": ("measure_run", "measure_together"),
        "plan": ("Step", "read_pipeline"),
        "result": ("finished_result", "read_result", "write_result"),
        "run": ("default_lanes", "run_steps"),
    },
)
