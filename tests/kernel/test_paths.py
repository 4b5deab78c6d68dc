"""Which ways to compute there are, the pick of the best scores, and the arithmetic limit."""

import re
from pathlib import Path

import numpy as np
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import (
    PRECISIONS,
    StoredFragments,
    arithmetic_limit,
    best_positions,
    compiled,
    encode_rows,
    paths,
    scores,
)
from inflate_shrink.kernel.compiled import VARIABLE, library

FLAGS = {  # of /proc/cpuinfo
    "avx512_bf16": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16"},
    "avx512_vnni": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    "avx_vnni": {"avx2", "fma", "avx_vnni"},
    "avx2": {"avx2", "fma"},
    "neon_i8mm": {"asimddp", "i8mm", "bf16"},
    "neon_dot": {"asimddp"},
    "neon": {"asimd"},
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
    flags = set(re.findall(r"^(?:flags|Features)\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)[:1][0].split())
    assert [*compiled._built(), "numpy"] == [path for path, needed in FLAGS.items() if needed <= flags]


def test_the_variable_hides_better_paths(fresh, monkeypatch):
    all_of_them = paths()
    for number, path in enumerate(all_of_them):
        monkeypatch.setenv(VARIABLE, path)
        fresh()
        assert paths() == all_of_them[number:] and (library() is None) == (path == "numpy")
        rows = StoredFragments(*encode_rows(np.eye(3, dtype=np.float32), "int8"), np.array([0, 2, 3]), "int8", 3)
        for one in ("", *paths()):
            assert np.rint(scores([np.eye(3)], rows, path=one)).tolist() == [[2, 1]]
        if number:
            with pytest.raises(
                InputError, match=f"'{all_of_them[0]}' is no way to compute here; this machine has {path}"
            ):
                scores([np.eye(3)], rows, path=all_of_them[0])


def test_a_variable_that_names_no_path(fresh, monkeypatch):
    vectors = np.eye(3, dtype=np.float32)
    rows = StoredFragments(*encode_rows(vectors, "int8"), np.array([0, 2, 3]), "int8", 3)
    monkeypatch.setenv(VARIABLE, "sse9")
    fresh()
    for use in (
        paths,
        lambda: encode_rows(vectors, "int8"),
        lambda: scores([vectors], rows),
        lambda: best_positions(np.arange(9), 3),
    ):
        with pytest.raises(
            InputError, match="^INFLATE_SHRINK_PATH=sse9 is no way to compute here; this machine has .*numpy$"
        ):
            use()


@pytest.mark.skipif(library() is None, reason="the kernel was not compiled here")
def test_arithmetic_limit_is_a_rate():
    assert all(
        arithmetic_limit(precision, threads=1, seconds=1e-3, path=path) > 1e8
        for precision in PRECISIONS
        for path in paths()[:-1]
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"path": "numpy"}, "no arithmetic limit"),
        ({"precision": "int4"}, "the precision is one of float32, bfloat16, int8, found 'int4'"),
        ({"threads": 2**31}, "threads must be 0 .* up to 1024, found 2147483648"),
        ({"seconds": 0}, "seconds must be above 0"),
        ({"seconds": np.nan}, "seconds must be above 0"),
    ],
)
def test_no_arithmetic_limit(options, message):
    with pytest.raises(InputError, match=message):
        arithmetic_limit(**{"precision": "int8", **options})


SCORES = [3, -np.inf, 7, 3, 3, -2, 7.000001, 0, -np.inf]
BEST = [
    [],
    [6],
    [2, 6],
    [0, 2, 6],
    [0, 2, 3, 6],
    [0, 2, 3, 4, 6],
    [0, 2, 3, 4, 6, 7],
    [0, 2, 3, 4, 5, 6, 7],
    [0, 1, 2, 3, 4, 5, 6, 7],
]


def check_best_rows():
    for count, wanted in enumerate(BEST):
        assert best_positions(np.array(SCORES), count).tolist() == wanted
    assert (
        best_positions(np.array(SCORES), 99).tolist() == list(range(9))
        and best_positions(np.zeros(0), 3).tolist() == []
    )
    assert best_positions(np.array([0.0, -0.0, 1, -0.0]), 2).tolist() == [0, 2] and best_positions(
        np.array([-0.0, 0.0, -1]), 1
    ).tolist() == [0]
    assert len(best_positions(np.array([np.nan, 2, -np.nan, 1]), 3)) == 3
    for wrong in (np.zeros((2, 2)), np.array(["a"]), 5):
        with pytest.raises(InputError, match="scores are an array"):
            best_positions(wrong, 1)
    for count in (-1, 1.5):
        with pytest.raises(InputError, match="must be 0 or more"):
            best_positions(np.array(SCORES), count)
    many = np.random.default_rng(0).integers(-300, 300, 5000).astype(np.float32) / 7
    for count in (1, 10, 2500, 4999):
        assert best_positions(many, count).tolist() == sorted(np.argsort(-many, kind="stable")[:count])


def test_best_rows():
    check_best_rows()


def test_best_rows_without_the_library(without_library):
    check_best_rows()
