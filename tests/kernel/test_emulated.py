"""Paths of other processors than this one: every comparison of sanitized.cpp, emulated."""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).resolve().parent
CSRC = HERE.parents[1] / "inflate_shrink" / "kernel" / "csrc"
OPTIONS = ["-std=c++17", "-O1", "-w", "-pthread", f"-I{CSRC}"]


def build(directory, compiler, sources, *options):
    def compile_one(source):
        target = directory / f"{source.stem}.o"
        return target, subprocess.run([compiler, *OPTIONS, "-c", source, "-o", target], capture_output=True, text=True)

    with ThreadPoolExecutor(2) as pool:
        compiled = list(pool.map(compile_one, sources))
    assert not [result.stderr for _, result in compiled if result.returncode]
    program = directory / "program"
    subprocess.run([compiler, "-pthread", *options, *(target for target, _ in compiled), "-o", program], check=True)
    return program


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0 and result.stdout.endswith("comparisons\n"), (result.stdout + result.stderr)[:4000]


@pytest.fixture(scope="module")
def arm_program(tmp_path_factory):
    for name in ("aarch64-linux-gnu-g++", "qemu-aarch64"):
        if shutil.which(name) is None:
            pytest.skip(f"no {name} (Debian: g++-aarch64-linux-gnu, qemu-user)")
    return build(
        tmp_path_factory.mktemp("arm"),
        "aarch64-linux-gnu-g++",
        [*sorted(CSRC.glob("*.cpp")), HERE / "sanitized.cpp"],
        "-static",
    )


@pytest.mark.parametrize(
    "processor, paths", [("cortex-a57", "neon portable"), ("neoverse-n1", "neon_dot"), ("max", "neon_i8mm")]
)
def test_arm(arm_program, processor, paths):
    """NEON alone, with dot products, with all; a path runs on the first of them that has it, so that none takes the emulator's time twice."""
    run("qemu-aarch64", "-cpu", processor, arm_program, "--no-fork", *paths.split())


def test_avx_vnni(tmp_path):
    """AVX-512 VNNI has the same instruction in another encoding, which is put in place of AVX-VNNI's."""
    flags = set(re.findall(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)[0].split())
    if not {"avx512_vnni", "avx512vl"} <= flags or shutil.which("g++") is None:
        pytest.skip("no processor with AVX-512 VNNI, or no g++")
    path = CSRC / "path_avx_vnni.cpp"
    assembly = subprocess.run(
        ["g++", *OPTIONS, "-S", path, "-o", "-"], check=True, capture_output=True, text=True
    ).stdout
    assert "{vex} vpdpbusd" in assembly
    encoded = tmp_path / "encoded.s"
    encoded.write_text(assembly.replace("{vex} vpdpbusd", "{evex} vpdpbusd"))
    shared = [source for source in sorted(CSRC.glob("*.cpp")) if not source.name.startswith(("path_", "processor"))]
    run(build(tmp_path, "g++", [*shared, HERE / "only_avx_vnni.cpp", encoded, HERE / "sanitized.cpp"]))
