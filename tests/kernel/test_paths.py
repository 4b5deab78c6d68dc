"""Which ways to compute there are, the pick of the best scores, and the arithmetic limit."""

import re
from pathlib import Path

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import PRECISIONS, arithmetic_limit, best_rows, paths
from inflate_shrink.kernel.compiled import library

FLAGS = {  # of /proc/cpuinfo
    "avx512_bf16": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16"},
    "avx512_vnni": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx2": {"avx2", "fma"},
    "portable": set(),
    "numpy": set(),
}


def test_the_documented_order():
    text = (Path(__file__).parents[2] / "docs" / "kernel.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \|", text.partition("## Paths")[2].partition("## ")[0], re.M)
    assert documented == list(FLAGS)
    assert list(paths()) == [path for path in documented if path in paths()] and paths()[-1] == "numpy"


@pytest.mark.skipif(library() is None, reason="the kernel was not compiled here")
def test_paths_are_what_the_processor_has():
    flags = set(re.findall(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)[:1][0].split())
    assert list(paths()) == [path for path, needed in FLAGS.items() if needed <= flags]


@pytest.mark.skipif(library() is None, reason="the kernel was not compiled here")
def test_arithmetic_limit_is_a_rate():
    assert all(arithmetic_limit(precision, threads=1, seconds=1e-3, path=path) > 1e8 for precision in PRECISIONS for path in paths()[:-1])


def test_numpy_has_no_arithmetic_limit():
    with pytest.raises(InputError, match="no arithmetic limit"):
        arithmetic_limit("int8", path="numpy")


SCORES = [3, -np.inf, 7, 3, 3, -2, 7.000001, 0, -np.inf]
BEST = [[], [6], [2, 6], [0, 2, 6], [0, 2, 3, 6], [0, 2, 3, 4, 6], [0, 2, 3, 4, 6, 7], [0, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7]]


def check_best_rows():
    for count, wanted in enumerate(BEST):
        assert best_rows(np.array(SCORES), count).tolist() == wanted
    assert best_rows(np.array(SCORES), 99).tolist() == list(range(9)) and best_rows(np.zeros(0), 3).tolist() == []
    many = np.random.default_rng(0).integers(-300, 300, 5000).astype(np.float32) / 7
    for count in (1, 10, 2500, 4999):
        assert best_rows(many, count).tolist() == sorted(np.argsort(-many, kind="stable")[:count])


def test_best_rows():
    check_best_rows()


def test_best_rows_without_the_library(without_library):
    check_best_rows()
