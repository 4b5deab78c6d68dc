"""An installation without a compiler."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USE = """
import numpy as np
from inflate_shrink.kernel import StoredFragments, encode_rows, paths, scores
rows = StoredFragments(*encode_rows(np.eye(3, dtype=np.float32), "int8"), np.array([0, 2, 3]), "int8", 3)
print(paths(), np.rint(scores([np.eye(3)], rows)).tolist())
"""


def test_the_package_works_where_nothing_can_be_compiled(tmp_path):
    pytest.importorskip("setuptools")
    for name in ("setup.py", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(
        ROOT / "inflate_shrink", tmp_path / "inflate_shrink", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    no = shutil.which("false")
    environment = {**os.environ, "INFLATE_SHRINK_PATH": "", "CC": no, "CXX": no, "PYTHONPATH": str(tmp_path)}
    build = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert build.returncode == 0 and "false" in build.stdout + build.stderr, build.stderr  # it was tried
    used = subprocess.run([sys.executable, "-c", USE], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert used.stdout == "('numpy',) [[2.0, 1.0]]\n", used.stderr
