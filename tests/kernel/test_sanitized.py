"""The compiled kernel under sanitizers: every path of this machine on buffers of exact size, and the pool of threads."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inflate_shrink.kernel import paths

pytestmark = pytest.mark.slow

CSRC = Path(__file__).resolve().parents[2] / "inflate_shrink" / "kernel" / "csrc"
HERE = Path(__file__).resolve().parent
# Not optimised, and calls for checks that would otherwise fill the unrolled loops: most of the time is the compiler's.
ADDRESS = [
    "-O0",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "--param",
    "asan-instrumentation-with-call-threshold=0",
]
THREAD = ["-O1", "-fsanitize=thread"]


def build(directory, flags, sources, bare=()):
    """Build ``sources`` with ``flags`` and ``bare`` ones without them.

    The test is skipped where the compiler or a sanitizer's runtime is missing.
    """
    if shutil.which("g++") is None:
        pytest.skip("no g++ to build the kernel with")
    command = ["g++", "-std=c++17", "-O0", "-g1", "-Wno-psabi", "-pthread", f"-I{CSRC}"]
    probe = directory / "probe.cpp"
    probe.write_text("int main() {}\n")
    if (
        subprocess.run([*command, *flags, probe, "-o", directory / "probe"], capture_output=True).returncode
        or subprocess.run([directory / "probe"]).returncode
    ):
        pytest.skip(f"g++ has no runtime for {flags[1]} here")

    def compile_one(source):
        target = directory / f"{source.stem}.o"
        return target, subprocess.run(
            [*command, *([] if source in bare else flags), "-c", source, "-o", target], capture_output=True, text=True
        )

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        compiled = list(pool.map(compile_one, [*sources, *bare]))
    assert not [result.stderr for _, result in compiled if result.returncode]
    subprocess.run([*command, *flags, *(target for target, _ in compiled), "-o", directory / "program"], check=True)
    return directory / "program"


def run(program):
    result = subprocess.run([program], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0 and result.stdout.endswith("comparisons\n"), (result.stdout + result.stderr)[:4000]


def test_addresses_and_undefined_behaviour(tmp_path):
    slow_first = sorted(CSRC.glob("*.cpp"), key=lambda path: not path.name.startswith("path_"))
    running = {f"path_{name}" for name in paths()}  # on this processor
    idle = (
        [path for path in slow_first if path.stem.startswith("path_") and path.stem not in running]
        if "path_portable" in running
        else []
    )
    # What compares is not what is checked; its buffers, of the sanitizer's allocator, are where the kernel uses them.
    run(build(tmp_path, ADDRESS, [path for path in slow_first if path not in idle], [*idle, HERE / "sanitized.cpp"]))


def test_races_of_the_pool(tmp_path):
    run(build(tmp_path, THREAD, [CSRC / "threads.cpp", HERE / "racing.cpp"]))
