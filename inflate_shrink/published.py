"""The paper's numbers, as data (published.yaml)."""

from __future__ import annotations

from pathlib import Path

import yaml


def published_table(name: str) -> dict:
    """A table of published.yaml, such as ``table2``: model -> codes, fragments and recalls."""
    return yaml.safe_load((Path(__file__).parent / "published.yaml").read_text(encoding="utf-8"))[name]
