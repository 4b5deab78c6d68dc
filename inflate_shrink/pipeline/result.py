"""A finished step leaves RUN/result.json: what came out, and of which config."""

from __future__ import annotations

import json
from pathlib import Path

RESULT = "result.json"


def read_result(run_dir: Path) -> dict | None:
    """The result of a run; None if it has none, or a damaged one."""
    try:
        result = json.loads((run_dir / RESULT).read_text(encoding="utf-8"))
        return result if {"config", "training"} <= result.keys() else None
    except (OSError, ValueError, AttributeError):
        return None
