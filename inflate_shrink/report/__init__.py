"""Finished runs as the paper's tables and figures: ``tools/report.py``."""
