"""What a check of a device found, as a Markdown page to paste into an issue."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import numpy as np
import paddle

from ..cpu import processor_and_cores
from .device_check import CheckSettings, Row

HEADER = (
    "| model | precision | pairs/s | times the CPU | MiB | loss | gradients | weights | repeats | |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|---|---|"
)
_NOTES = """Losses and gradients: the largest relative difference from float32 on the CPU, of the same weights and batches. Weights: the
difference after the last update, relative to how far they moved. Repeats: whether a second run gave the same bits."""


def describe_machine(device: str) -> list[str]:
    """Return lines about the device, its driver, Paddle's build and the processor."""
    lines = [
        f"- Paddle {paddle.__version__}, {_build()}; Python {sys.version.split()[0]}",
        f"- {processor_and_cores()}",
    ]
    if device == "gpu":
        found = paddle.device.cuda.get_device_properties()
        capability = f"{found.major}.{found.minor}"
        memory = f"{found.total_memory / 2**30:.1f} GiB, {found.multi_processor_count} multiprocessors"
        count = paddle.device.cuda.device_count()
        lines.insert(0, f"- {found.name}, capability {capability}, {memory}, one of {count}; driver {_driver()}")
    flag = os.environ.get("FLAGS_embedding_deterministic", "not set")
    return [*lines, f"- FLAGS_embedding_deterministic: {flag}; {time.strftime('%Y-%m-%d')}"]


def describe_settings(settings: CheckSettings) -> str:
    """Return the sizes of what was trained in a line."""
    s = settings
    shape = f"hidden {s.hidden}, {s.layers} layers, {s.words} words, {s.regions} regions of {s.region_dim}"
    return f"{s.updates} updates of {s.batch_size} pairs, {shape}, no dropout"


def format_row(row: Row) -> str:
    """Return a line of the table of :data:`HEADER`."""
    precision = row.level if row.level == "O0" else f"{row.level} {row.dtype}"
    if np.isnan(row.loss):
        return f"| {row.case} | {precision} | | | | | | | | FAILED: {row.problem} |"
    memory = "" if np.isnan(row.mebibytes) else f"{row.mebibytes:,.0f}"
    repeats = "yes" if not row.differing else f"no: {', '.join(row.differing[:3])}{', ...' * (len(row.differing) > 3)}"
    verdict = f"FAILED: {row.problem}" if row.problem else "ok"
    differences = f"{row.loss:.1e} | {row.gradient:.1e} | {row.moved:.1e}"
    pace = f"{row.pairs_per_second:,.0f} | {row.times_the_cpu:.1f} | {memory}"
    return f"| {row.case} | {precision} | {pace} | {differences} | {repeats} | {verdict} |"


def format_page(machine: list[str], settings: str, rows: list[str], search: str) -> str:
    """Return the whole page. ``rows``: lines of :func:`format_row`; ``search``: what the check of search printed."""
    training = ["## Training", "", settings, "", HEADER, *rows, "", _NOTES]
    return "\n".join(["# Check of a device", "", *machine, "", *training, "", "## Search", "", search.strip(), ""])


def _build() -> str:
    cuda = paddle.version.cuda()
    built = f"CUDA {cuda}, cuDNN {paddle.version.cudnn()}" if cuda not in (False, "False") else "without CUDA"
    return f"built {built} ({paddle.version.commit[:10]})"


def _driver() -> str:
    """Return the version of NVIDIA's driver, as its own tool tells it."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return "not known: there is no nvidia-smi"
    asked = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=30).stdout.split()[0]
    except (OSError, subprocess.TimeoutExpired, IndexError):
        return "not known"
