"""The fused kernel's library: found or built, called with the right pointers; and the check on a machine without a GPU."""

import os
import subprocess
import sys

import numpy as np
import paddle
import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import StoredFragments
from inflate_shrink.search.device import check, cuda_library, fused

NVCC = """#!/bin/sh
case "$*" in
  --version) echo "nvcc 99.$VERSION"; exit;;
  --list-gpu-arch) printf 'compute_80\\ncompute_90\\ncompute_100\\n'; exit;;
esac
echo "$*" >> "$LOG"
[ -n "$FAIL" ] && { echo "some note" >&2; echo "x.cu(3): error: expected a ;" >&2; exit 1; }
while [ "$1" != -o ]; do shift; done
echo built > "$2"
"""


@pytest.fixture
def fake_nvcc(tmp_path, monkeypatch):
    """An ``nvcc`` that notes how it was called; returns a function for the calls that compiled."""
    directory, log = tmp_path / "bin", tmp_path / "log"
    directory.mkdir()
    (directory / "nvcc").write_text(NVCC)
    (directory / "nvcc").chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOG", str(log))
    monkeypatch.setenv("VERSION", "1")
    monkeypatch.delenv(cuda_library.VARIABLE, raising=False)
    monkeypatch.setattr(cuda_library, "_BESIDE", tmp_path / "late_interaction.so")
    return lambda: log.read_text().splitlines() if log.exists() else []


def test_it_is_built_once_for_each_compiler_and_architecture(fake_nvcc, monkeypatch):
    first = cuda_library.find_or_build()
    assert first.read_text() == "built\n" and cuda_library.find_or_build() == first and len(fake_nvcc()) == 1
    wanted = "-gencode=arch=compute_80,code=sm_80 -gencode=arch=compute_90,code=sm_90 -gencode=arch=compute_90,code=compute_90"
    assert wanted in fake_nvcc()[0]  # what it knows of ours
    monkeypatch.setenv("VERSION", "2")
    assert len({first, cuda_library.find_or_build(), cuda_library.find_or_build(("86",))}) == 3
    assert [path.name for path in first.parent.iterdir() if ".tmp" in path.name] == []


def test_a_library_at_hand_is_taken(fake_nvcc, tmp_path, monkeypatch):
    (tmp_path / "late_interaction.so").touch()
    assert cuda_library.find_or_build() == tmp_path / "late_interaction.so"
    monkeypatch.setenv(cuda_library.VARIABLE, str(tmp_path / "other.so"))
    with pytest.raises(InputError, match="other.so: no such file"):
        cuda_library.find_or_build()
    (tmp_path / "other.so").write_text("text")
    assert cuda_library.find_or_build() == tmp_path / "other.so" and not fake_nvcc()
    with pytest.raises(InputError, match="other.so: not a library of the fused kernel"):
        cuda_library.cuda_library(("a test of its own",))


def test_a_failed_build_is_one_line_and_leaves_nothing(fake_nvcc, monkeypatch):
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(
        InputError, match=r"nvcc failed, the fused kernel was not built: x.cu\(3\): error: expected a ;"
    ):
        cuda_library.find_or_build()
    monkeypatch.delenv("FAIL")
    assert cuda_library.find_or_build().is_file()


def test_no_compiler_is_one_line(fake_nvcc, monkeypatch):
    monkeypatch.setattr(cuda_library, "find_nvcc", lambda: None)
    with pytest.raises(InputError, match="needs nvcc .* or a built library named by INFLATE_SHRINK_CUDA_LIBRARY"):
        cuda_library.find_or_build()


@pytest.mark.slow
@pytest.mark.skipif(cuda_library.find_nvcc() is None, reason="needs nvcc")
def test_it_compiles_without_a_warning_and_reports_cudas_errors(tmp_path, monkeypatch):
    cuda_library.build(tmp_path / "fused.so", ["80"], ["-Werror=all-warnings"])
    monkeypatch.setenv(cuda_library.VARIABLE, str(tmp_path / "fused.so"))
    library = cuda_library.cuda_library(("another test",))
    assert library.late_interaction_error(1).decode() == "invalid argument"
    with pytest.raises(InputError, match="the fused kernel could not run: invalid argument"):
        call(library, items_per_block=129)


class OnGpu:
    """An array as CuPy or PyTorch show it."""

    def __init__(self, shape, typestr, address, strides=None):
        self.shape = shape
        self.__cuda_array_interface__ = {
            "shape": shape,
            "typestr": typestr,
            "data": (address, False),
            "strides": strides,
            "version": 3,
        }


def call(library, **changes):
    arguments = dict(
        queries=OnGpu((3, 8), "<f2", 100), query_offsets=OnGpu((2,), "<i8", 200, (8,)), values=OnGpu((9, 8), "|u1", 300, (8, 1)),
        scales=OnGpu((9,), "<f4", 400), begins=OnGpu((4,), "<i8", 500), positions=OnGpu((5,), "<i8", 600), output=OnGpu((1, 4), "<f4", 700),
        precision="int8", stored="text", fragments=3, items_per_block=2, stream=800,
    )  # fmt: skip
    fused.cuda_scores(library, **{**arguments, **changes})


class Recorder:
    """A library that notes its arguments."""

    def late_interaction_scores(self, *arguments):
        self.given = [getattr(argument, "value", argument) for argument in arguments]
        return 0


def test_pointers_and_sizes_arrive_in_the_order_of_the_c_interface():
    library = Recorder()
    call(library)
    assert library.given == [100, 200, 1, 3, 300, 400, 2, 8, 500, 600, 4, 2, 1, 700, 800]
    call(library, precision="float16", scales=None, stored="image", stream=0)
    assert library.given == [100, 200, 1, 3, 300, None, 0, 8, 500, 600, 4, 2, 0, 700, None]
    source = (cuda_library.SOURCES / "late_interaction.cu").read_text()
    declared = source.split('extern "C" int late_interaction_scores(')[1].split(")")[0]
    assert [" ".join(part.split()).rpartition(" ")[2] for part in declared.split(",")] == [
        "queries", "query_offsets", "n_queries", "fragments", "rows", "scales", "precision", "width",
        "begins", "positions", "n_items", "items_per_block", "sum_over_rows", "scores", "stream",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"values": OnGpu((9, 8), "|u1", 300, (16, 1))}, "takes contiguous arrays in a GPU's memory, found .*OnGpu"),
        ({"output": np.zeros((1, 4), np.float32)}, "in a GPU's memory, found numpy.ndarray"),
        ({"queries": paddle.zeros([3, 8], "float16")}, "in a GPU's memory, found paddle.*Tensor"),
        ({"scales": None}, "int8 alone has scales; found 'int8'"),
        ({"precision": "float32"}, "precision must be one of float16, bfloat16, int8"),
        ({"values": OnGpu((1 << 31, 8), "|u1", 300)}, "counts rows in 31 bits"),
    ],
)
def test_bad_arrays_are_named(changes, message):
    paddle.set_device("cpu")
    with pytest.raises(InputError, match=message):
        call(Recorder(), **changes)


@pytest.mark.slow
@pytest.mark.skipif(paddle.device.get_device() != "cpu", reason="there is a GPU")
def test_without_a_gpu():
    rows = StoredFragments(np.zeros((1, 2), np.float32), None, np.arange(2), "float32", 2)
    with pytest.raises(InputError, match="the fused kernel needs a GPU, and Paddle's device is the CPU"):
        fused.FusedRows(rows)
    done = subprocess.run([sys.executable, "-m", "inflate_shrink.search.device.check"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith("error: no GPU here") and not done.stdout


@pytest.mark.slow
def test_the_check_runs_on_the_cpu(capsys):
    check.main(["--cpu", "--items", "20", "--dim", "8"])
    printed = capsys.readouterr().out
    assert "| int8 | float32 | ragged, d = 70 | text |" in printed and "FAILED" not in printed


def test_the_check_finds_wrong_scores(monkeypatch, capsys):
    class Wrong:
        def __init__(self, rows):
            self.rows, self.resident = rows, True

        def scores(self, queries, items=None, stored="image"):
            return np.full((len(queries), len(self.rows)), np.nan, np.float32)

    monkeypatch.setattr(check, "_ways", lambda cpu: {"float32": Wrong})
    monkeypatch.setattr(check, "SHAPES", {"small": ([2], [1], 4)})
    with pytest.raises(InputError, match="of the checks above failed"):
        check.main(["--cpu", "--items", "2", "--dim", "8"])
    assert check.largest_error(Wrong, [2], [1], 4, "float32", "image") == np.inf
