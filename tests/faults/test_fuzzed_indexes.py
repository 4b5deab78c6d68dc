"""What a file holds is never believed: damaged at random, with checksums that fit, it gives a result or one line."""

import subprocess
import sys
from pathlib import Path

import pytest
from mutations import SEED


@pytest.mark.parametrize(
    "damages", [pytest.param(150, marks=pytest.mark.slow), pytest.param(10_000, marks=pytest.mark.long)]
)
def test_damaged_files_give_a_result_or_one_line(damages, tally):
    """In a process of its own, whose last line names what crashed it."""
    counts, script = (
        tally("changed file", "indexes, encoders; checksums fit"),
        Path(__file__).with_name("fuzz_files.py"),
    )
    command = [sys.executable, script, str(SEED * 10_000), str(damages)]
    run = subprocess.run(command, capture_output=True, text=True)
    *tried, last = run.stdout.splitlines() or [""]
    assert run.returncode == 0, f"exit code {run.returncode} at {last}\n{run.stderr[-3000:]}"
    results, refused = map(int, (last.split()[2], last.split()[6]))
    assert last.startswith(f"{damages} damages") and len(tried) == results + refused == damages
    counts.update(right=results, refused=refused)
    assert min(results, refused) > damages / 10  # neither is all that happens
