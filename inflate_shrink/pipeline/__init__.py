"""Pipelines of training and distillation: planned, run as processes, measured; result.json is what comes out."""
