"""Faults on purpose: a short run of each with all tests, a long one by ``-m long``; what was tried is printed as a table."""

import os
import sys
import time
from collections import Counter

import pytest
from mutations import SEED

from inflate_shrink.cpu import processor_and_cores

KEY = "fault"


@pytest.fixture
def tally(request, record_property):
    """A function: the fault and what it befell -> a Counter for the table: how often it was "refused" in one line, and how
    often the answer was "right".
    """

    def start(fault, what):
        counts = Counter()
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
    failed = {report.nodeid for report in terminalreporter.stats.get("failed", [])}
    rows = {}
    for report in terminalreporter.stats.get("", []):  # among them what is reported when a test is torn down
        for key, value in report.user_properties if report.when == "teardown" else ():
            if key == KEY:
                fault, what, refused, right = value
                counts = rows.setdefault((fault, what), Counter())
                counts.update(refused=refused, right=right, failed=int(report.nodeid in failed))
    if not rows:
        return
    write = terminalreporter.write_line
    terminalreporter.section("faults")
    import paddle

    where = f"{processor_and_cores()}; Python {sys.version.split()[0]}, Paddle {paddle.__version__}"
    write(f"seed {SEED}; {where}; {time.strftime('%Y-%m-%d')}\n")
    write("| fault | of | tried | refused in one line | right | failed |")
    write("|---|---|--:|--:|--:|--:|")
    for (fault, what), counts in sorted(rows.items()):
        write(
            f"| {fault} | {what} | {sum(counts.values()):,} | {counts['refused']:,} | {counts['right']:,} | {counts['failed']} |"
        )
