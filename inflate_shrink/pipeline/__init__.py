"""Pipelines of training and distillation: planned, run as processes, measured; result.json is what comes out."""

from ..cpu import prepare_for_paddle

prepare_for_paddle()
