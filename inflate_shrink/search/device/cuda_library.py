"""The fused CUDA kernel's library (``csrc/late_interaction.cu``): found, or built with ``nvcc`` at first use.

**Untested on a GPU**: it compiles without a warning for sm_70, 75, 80, 86, 89 and 90.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Sequence

from ...atomic import atomic_path
from ...digest import hex_digest
from ...errors import InputError

VARIABLE = "INFLATE_SHRINK_CUDA_LIBRARY"
ARCHITECTURES = ("70", "75", "80", "86", "89", "90")
SOURCES = Path(__file__).with_name("csrc")
_BESIDE = Path(__file__).with_name("late_interaction.so")


@cache
def cuda_library(architectures: tuple[str, ...] = ()) -> ctypes.CDLL:
    """Load the library, which is built if it must be.

    Args:
        architectures: for which it is built if it must be, such as "90"; () for all that ``nvcc`` knows.

    Raises:
        InputError: there is none and it cannot be built, or it cannot be loaded.
    """
    path = find_or_build(architectures)
    try:
        library = ctypes.CDLL(str(path))
        library.late_interaction_error.restype = ctypes.c_char_p
    except (OSError, AttributeError) as error:
        raise InputError(f"{path}: not a library of the fused kernel: {error}; build it again (docs/gpu.md)") from error
    return library


def find_or_build(architectures: Sequence[str] = ()) -> Path:
    """Return the file that ``INFLATE_SHRINK_CUDA_LIBRARY`` names, or the one beside this file, or one built into the
    cache.
    """
    if VARIABLE in os.environ:
        path = Path(os.environ[VARIABLE])
        if not path.is_file():
            raise InputError(
                f"{VARIABLE}: {path}: no such file; give the library of the fused kernel or unset the variable"
            )
        return path
    if _BESIDE.is_file():
        return _BESIDE
    nvcc = find_nvcc()
    if nvcc is None:
        raise InputError(
            f"the fused kernel needs nvcc (on PATH or in CUDA_HOME) or a built library named by {VARIABLE}; "
            "DeviceRows needs neither"
        )
    sources = sorted(SOURCES.glob("late_interaction.cu*"))
    key = hex_digest(["".join(architectures).encode(), *sources, _run([nvcc, "--version"]).encode()])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inflate_shrink"
    path = cache / f"late_interaction-{key}.so"
    if not path.is_file():
        build(path, architectures)
    return path


def build(path: str | os.PathLike, architectures: Sequence[str] = (), flags: Sequence[str] = ()) -> None:
    """Compile the library to ``path``, which appears whole or not at all: code for each architecture, and PTX of the
    last for later GPUs.

    Raises:
        InputError: there is no ``nvcc``, or it failed.
    """
    nvcc = find_nvcc()
    if nvcc is None:
        raise InputError("building the fused kernel needs nvcc, on PATH or in CUDA_HOME")
    known = {line.strip().rpartition("_")[2] for line in _run([nvcc, "--list-gpu-arch"]).splitlines()}
    chosen = list(architectures) or [architecture for architecture in ARCHITECTURES if architecture in known]
    code = [f"-gencode=arch=compute_{architecture},code=sm_{architecture}" for architecture in chosen]
    code.append(f"-gencode=arch=compute_{chosen[-1]},code=compute_{chosen[-1]}")
    options = ["-std=c++17", "-O3", "-shared", "-Xcompiler=-fPIC", "-Wno-deprecated-gpu-targets", *flags]
    with atomic_path(path) as temporary:
        _run([nvcc, *options, *code, "-o", str(temporary), str(SOURCES / "late_interaction.cu")])


def find_nvcc() -> str | None:
    """Find ``nvcc`` on PATH, in CUDA_HOME or in /usr/local/cuda."""
    places = os.pathsep.join(
        str(Path(home) / "bin") for home in (os.environ.get("CUDA_HOME"), "/usr/local/cuda") if home
    )
    return shutil.which("nvcc") or shutil.which("nvcc", path=places)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines() or ["no message"]
        told = next((line for line in lines if "error" in line or "fatal" in line), lines[0])
        raise InputError(f"nvcc failed, the fused kernel was not built: {told.strip()} ({' '.join(command)})")
    return done.stdout
