"""The instruction set that MKL is told to use, for the processors it gets wrong."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from inflate_shrink import cpu
from inflate_shrink.cpu import (
    enable_fast_mkl,
    mkl_cpu_type,
    processor_and_cores,
    processor_flags,
    processor_name,
    transpose_at_once,
    use_all_cores,
)

ROOT = Path(__file__).resolve().parents[1]
AVX2 = "fpu sse2 avx avx2 fma"
AVX512 = f"{AVX2} avx512f avx512dq avx512cd avx512bw avx512vl"


def cpuinfo(vendor, flags):
    processor = (
        f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: a processor\nflags\t\t: {flags}\nbugs\t\t: none\n\n"
    )
    return processor * 2


@pytest.mark.parametrize(
    "vendor, flags, expected",
    [
        ("AuthenticAMD", AVX512, "7"),
        ("AuthenticAMD", AVX2, "5"),
        ("AuthenticAMD", AVX512.replace("avx512vl", ""), "5"),
        ("AuthenticAMD", "fpu sse2 avx avx2", None),  # without FMA
        ("AuthenticAMD", "fpu sse2", None),
        ("GenuineIntel", AVX512, None),
        ("GenuineIntel", "fpu sse2", None),
    ],
)
def test_type_for_a_processor(vendor, flags, expected):
    assert mkl_cpu_type(cpuinfo(vendor, flags)) == expected


def test_flags(machine):
    assert processor_flags() == set(AVX512.split()) and processor_flags(cpuinfo("GenuineIntel", AVX2)) == set(
        AVX2.split()
    )
    (machine / "cpuinfo").unlink()
    assert processor_flags() == set()


@pytest.mark.parametrize(
    "text, name",
    [("processor\t: 0\nmodel name\t: Made Up 9000: X\n", "Made Up 9000: X"), ("model name:\n", None), ("", None)],
)
def test_processor_name(machine, text, name):
    assert processor_name(text) == (name or platform.processor() or platform.machine())
    assert processor_and_cores().startswith("a processor, ")


@pytest.mark.parametrize("text", ["", "processor\t: 0\nFeatures\t: fp asimd\n"])
def test_no_x86_processor(text):
    assert mkl_cpu_type(text) is None


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """This process believes to be on an AMD machine with AVX-512, and nothing is set yet."""
    (tmp_path / "cpuinfo").write_text(cpuinfo("AuthenticAMD", AVX512))
    monkeypatch.setattr(cpu, "Path", lambda path: tmp_path / Path(path).name)
    for name in ("MKL_DEBUG_CPU_TYPE", "MKL_NUM_THREADS", "FLAGS_use_stride_kernel"):
        monkeypatch.setenv(name, "")  # so that it is restored afterwards
        monkeypatch.delenv(name)
    return tmp_path


def test_variable_is_set(machine):
    enable_fast_mkl()
    assert os.environ["MKL_DEBUG_CPU_TYPE"] == "7"


def test_the_users_values_are_kept(machine, monkeypatch):
    monkeypatch.setenv("MKL_DEBUG_CPU_TYPE", "5")
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    monkeypatch.setenv("FLAGS_use_stride_kernel", "1")
    enable_fast_mkl()
    use_all_cores()
    transpose_at_once()
    assert (os.environ["MKL_DEBUG_CPU_TYPE"], os.environ["MKL_NUM_THREADS"], os.environ["FLAGS_use_stride_kernel"]) == (
        "5",
        "3",
        "1",
    )


def test_unreadable_cpuinfo_changes_nothing(machine):
    (machine / "cpuinfo").unlink()
    enable_fast_mkl()
    assert "MKL_DEBUG_CPU_TYPE" not in os.environ


def test_threads_are_the_cores_of_this_process(machine, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5})
    use_all_cores()
    assert os.environ["MKL_NUM_THREADS"] == "3"


def test_package_sets_the_variables_before_paddle_is_imported():
    # the import of Paddle is caught: by then the variables have to be there
    code = """
import builtins, os, sys
imported = builtins.__import__
def spy(name, *rest, **options):
    if name.split(".")[0] == "paddle":
        print(*(os.environ.get(key) for key in ("MKL_DEBUG_CPU_TYPE", "MKL_NUM_THREADS", "FLAGS_use_stride_kernel")))
        sys.exit()
    return imported(name, *rest, **options)
builtins.__import__ = spy
import inflate_shrink.engine.steps
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MKL_", "FLAGS_"))}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    expected = mkl_cpu_type(Path("/proc/cpuinfo").read_text())
    assert run.stdout.split() == [str(expected), str(len(os.sched_getaffinity(0))), "0"]
