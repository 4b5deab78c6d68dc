"""Faults on purpose: a short run of each with all tests, a long one by ``-m long``; what was tried is printed as a table."""

import os
import sys
import time
from collections import Counter
from importlib.metadata import version

import pytest
from mutations import SEED

from inflate_shrink.cpu import processor_and_cores

KEY = "fault"


class Tally(Counter):
    """What one test tried: how often a fault was ``refused`` in one line, and how often the answer was ``right``."""


@pytest.fixture
def tally(request, record_property):
    """A function: the fault and what it befell -> a Counter of "refused" and "right" for the table."""

    def start(fault, what):
        counts = Tally()
        request.addfinalizer(lambda: record_property(KEY, [fault, what, counts["refused"], counts["right"]]))
        return counts

    return start


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch):
    """What a killed process wrote is there without fsync."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def pytest_collection_modifyitems(config, items):
    """Leave the long ones out unless ``-m`` asks for them."""
    if "long" in config.option.markexpr:
        return
    chosen = [item for item in items if not item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
    items[:] = chosen


def pytest_terminal_summary(terminalreporter):
    """Print what was tried and what held, as the table of docs/reliability.md."""
    rows = {}
    for report in terminalreporter.stats.get("", []):  # among them what is reported when a test is torn down
        for key, value in report.user_properties if report.when == "teardown" else ():
            if key == KEY:
                fault, what, refused, right = value
                rows.setdefault((fault, what), Counter()).update(refused=refused, right=right)
    failed = [report.nodeid for report in terminalreporter.stats.get("failed", []) if "/faults/" in report.nodeid]
    if not rows:
        return
    write = terminalreporter.write_line
    terminalreporter.section("faults")
    where = f"{processor_and_cores()}; Python {sys.version.split()[0]}, Paddle {version('paddlepaddle')}"
    write(f"seed {SEED}; {where}; {time.strftime('%Y-%m-%d')}\n")
    write("| fault | of | tried | refused in one line | right | failed |")
    write("|---|---|--:|--:|--:|--:|")
    for (fault, what), counts in sorted(rows.items()):
        tried = counts["refused"] + counts["right"]
        write(f"| {fault} | {what} | {tried:,} | {counts['refused']:,} | {counts['right']:,} | 0 |")
    for test in failed:
        write(f"| FAILED: {test} | | | | | 1 |")
