"""The machine that computes, in words."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def processor_and_cores() -> str:
    """The processor, and how many cores of it this process may use."""
    return f"{processor_name()}, {len(os.sched_getaffinity(0))} cores"


def processor_name(cpuinfo: str | os.PathLike = "/proc/cpuinfo") -> str:
    """The processor as the kernel names it, or else its architecture."""
    try:
        for line in Path(cpuinfo).read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown processor"
