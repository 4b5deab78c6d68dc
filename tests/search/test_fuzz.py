"""What a file holds is never believed: damaged at random it gives a result or one line, no traceback and no crash."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DAMAGES = int(os.environ.get("INFLATE_SHRINK_FUZZ", 300))  # more find more: 10,000 take some minutes


@pytest.mark.slow
def test_damaged_files_give_a_result_or_one_line():
    script = Path(__file__).parent / "fuzz" / "fuzz_files.py"
    run = subprocess.run([sys.executable, script, "0", str(DAMAGES)], capture_output=True, text=True)
    *tried, last = run.stdout.splitlines() or [""]
    assert run.returncode == 0, f"exit code {run.returncode} at {last}\n{run.stderr[-3000:]}"
    results, refused = map(int, (last.split()[2], last.split()[6]))
    assert last.startswith(f"{DAMAGES} damages") and len(tried) == results + refused == DAMAGES
    assert min(results, refused) > DAMAGES / 10  # neither is all that happens
